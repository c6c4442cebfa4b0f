"""The command `training export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    weights: Annotated[list[Path], typer.Argument(help="Weights files, or default, the one that ships.")],
    triton: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Instead, write a model repository of NVIDIA Triton here, of one weights file."
        ),
    ] = None,
) -> None:
    """Write the networks of weights files as ONNX files beside them, for live scoring on a CPU without torch."""
    from model.export.step import export_weights
    from model.weights_file import weights_path

    if triton is not None:
        from model.export.triton import write_repository

        if len(weights) > 1:
            raise typer.BadParameter("--triton takes one weights file")
        try:
            typer.echo(write_repository(weights_path(weights[0]), triton))
        except OSError as error:
            raise typer.BadParameter(f"{error.filename}: {(error.strerror or str(error)).lower()}") from error
        return
    for path in weights:
        for written in export_weights(weights_path(path)):
            typer.echo(written)
