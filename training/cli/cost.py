"""`training cost`: what a block costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def cost(weights: Annotated[Path, typer.Argument(help="Weights file, or default, the one that ships.")]) -> None:
    """Count the floating-point operations of a block of 20 ms, by layer."""
    from model.checkpoint import read_detector
    from model.weights_file import weights_path
    from training.evaluate.cost import flops

    counted = flops(read_detector(weights_path(weights)))
    for name, count in counted.items():
        typer.echo(f"{count / 1e3:9.1f} k  {name}")
    typer.echo(f"{sum(counted.values()) / 1e6:9.2f} M  a block of 20 ms and stream")
