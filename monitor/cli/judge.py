"""Commands about what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import JsonOnly
from monitor.cli.shared import Judging, unfolded


@unfolded
def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Recordings.")],
    json_lines: JsonOnly = False,
    *,
    judging: Judging,
) -> None:
    """Judge whole recordings: one line for each file and channel, in the order given.

    p_fake is the probability that the voice is synthetic, llr the evidence for it (log-likelihood ratio, in nats), both
    of all speech in the file; the state is the gravest on the way. A file that cannot be read is named, the others are
    judged all the same, and the exit status is 2.
    """
    settings = judging.settings()
    from monitor.commands.score import score as run

    raise typer.Exit(run(files, settings.config, as_json=json_lines))


@unfolded
def calibrate(
    genuine: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Recordings of your own calls, all voices in them real."),
    ],
    per_hour: Annotated[
        float,
        typer.Option(
            "--target-false-alarms-per-hour", metavar="N", min=0.001, max=100, help="Of genuine net speech, at most."
        ),
    ] = 0.5,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Settings file to write.")] = Path("calibrated.toml"),
    *,
    judging: Judging,
) -> None:
    """Set the alert threshold from genuine calls of your own, so that real voices raise so few alerts as you want.

    Writes a settings file for --config. The threshold is counted where there is enough speech (three times the hours
    between two alarms), else continued from the tail of the scores, which it says.
    """
    settings = judging.settings()
    from monitor.commands.calibrate import calibrate as run

    raise typer.Exit(run(genuine, per_hour, out, settings))
