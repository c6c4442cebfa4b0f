"""`monitor calibrate`: set the alert threshold from genuine calls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.option_groups import ModelOptions
from monitor.cli.typer_commands import expand_options
from monitor.errors import BadInputError


@dataclass(frozen=True)
class CalibrateOptions:
    """The options of the command, beside those of the model."""

    genuine: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Recordings of your own calls, all voices in them real.")
    ] = None
    marks: Annotated[
        list[Path] | None,
        typer.Option(metavar="JOURNAL", help="Instead: alerts in this journal that people marked. May be repeated."),
    ] = None
    evidence: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="With --marks: the folder with their evidence. May be repeated."),
    ] = None
    clips: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="With --marks: copy their audio here, into real/ and fake/, for training finetune."
        ),
    ] = None
    per_hour: Annotated[
        float,
        typer.Option(
            "--target-false-alarms-per-hour",
            metavar="N",
            min=0.001,
            max=100,
            help="At most this many, per hour of genuine net speech.",
        ),
    ] = 0.5
    out: Annotated[Path, typer.Option(metavar="FILE", help="Settings file to write.")] = Path("calibrated.toml")


@expand_options
def calibrate(*, options: CalibrateOptions, model: ModelOptions) -> None:
    """Set the alert threshold from genuine calls of your own, so that real voices raise so few alerts as you want; or
    from the alerts that were marked on the page or by the API.

    Writes a settings file for --config. The threshold is counted where there is enough speech (three times the hours
    between two alarms), else continued from the tail of the scores, which it says.
    """
    genuine, marks = options.genuine, options.marks
    if (genuine is None) == (not marks):
        raise BadInputError("say what to learn from", "give --genuine DIR or --marks JOURNAL, not both")
    if not marks and (options.evidence or options.clips):
        raise BadInputError("--evidence and --clips go with --marks", "name the journal: --marks JOURNAL")
    settings = model.settings()
    if marks:
        from monitor.session.calibrate_marks import calibrate_marks

        evidence = options.evidence or ()
        raise typer.Exit(calibrate_marks(marks, evidence, options.per_hour, options.out, options.clips, settings))
    assert genuine is not None
    if not genuine.exists():
        raise BadInputError(f"there is no {genuine}", "name a folder of recorded calls whose voices are real")
    from monitor.session.calibrate_genuine import calibrate as run

    raise typer.Exit(run(genuine, options.per_hour, options.out, settings))
