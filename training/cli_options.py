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
