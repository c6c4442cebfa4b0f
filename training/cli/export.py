"""The command `training export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    weights: Annotated[list[Path], typer.Argument(help="Weights files, or default, the one that ships.")],
) -> None:
    """Write the networks of weights files as ONNX files beside them, for live scoring on a CPU without torch."""
    from model.export.step import export_weights
    from model.weights_file import weights_path

    for path in weights:
        for written in export_weights(weights_path(path)):
            typer.echo(written)
