"""Options that several commands of `training` take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Corpora = Annotated[
    list[Path],
    typer.Option("--corpus", help="A manifest.csv, a folder that holds one, or a folder of classes. May be repeated."),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes that prepare the speech.")]
Cache = Annotated[Path, typer.Option(help="Folder for prepared speech.")]
Minutes = Annotated[float, typer.Option(min=0.01, help="Stop after this many minutes of training ...")]
Steps = Annotated[int, typer.Option(min=1, help="... or this many steps, whichever comes first.")]
Seed = Annotated[int, typer.Option(help="Seed of the random numbers.")]
WeightsFile = Annotated[
    Path, typer.Option(metavar="FILE", help="Weights file to measure, or default, the one that ships.")
]


def _device(name: str) -> str:
    """Return a device that this machine has."""
    if name not in ("auto", "cpu", "cuda", "mps"):
        raise typer.BadParameter(f"{name!r}: auto, cpu, cuda or mps")
    if name in ("cuda", "mps"):
        import torch

        if not (torch.cuda if name == "cuda" else torch.backends.mps).is_available():
            raise typer.BadParameter(f"this machine has no {name} device; auto takes what there is")
    return name


Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.", callback=_device)]


def named_weights(text: str, option: str) -> dict[str, float]:
    """Return the numbers of a text such as lab=1,wild=1, by name."""
    try:
        return {k.strip(): float(v) for k, _, v in (part.partition("=") for part in text.split(",") if part)}
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: write names and numbers, such as lab=1,wild=1", param_hint=f"--{option.replace('_', '-')}"
        ) from None
