"""`monitor calibrate`: set the alert threshold from genuine calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.option_groups import ModelOptions, expand_options
from monitor.errors import BadInputError


@expand_options
def calibrate(
    genuine: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Recordings of your own calls, all voices in them real."),
    ],
    per_hour: Annotated[
        float,
        typer.Option(
            "--target-false-alarms-per-hour",
            metavar="N",
            min=0.001,
            max=100,
            help="At most this many, per hour of genuine net speech.",
        ),
    ] = 0.5,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Settings file to write.")] = Path("calibrated.toml"),
    *,
    options: ModelOptions,
) -> None:
    """Set the alert threshold from genuine calls of your own, so that real voices raise so few alerts as you want.

    Writes a settings file for --config. The threshold is counted where there is enough speech (three times the hours
    between two alarms), else continued from the tail of the scores, which it says.
    """
    if not genuine.exists():
        raise BadInputError(f"there is no {genuine}", "name a folder of recorded calls whose voices are real")
    settings = options.settings()
    from monitor.session.calibrate import calibrate as run

    raise typer.Exit(run(genuine, per_hour, out, settings))
