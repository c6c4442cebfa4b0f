"""Commands about what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import Assignments, ConfigFile, JsonOnly, Weights, read_settings


def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Recordings.")],
    json_lines: JsonOnly = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
) -> None:
    """Judge whole recordings: one line for each file and channel, in the order given.

    p_fake is the probability that the voice is synthetic, llr the evidence for it (log-likelihood ratio, in nats), both
    of all speech in the file; the state is the gravest on the way. A file that cannot be read is named, the others are
    judged all the same, and the exit status is 2.
    """
    settings = read_settings(config, assignments, weights=weights)
    from monitor.commands.score import score as run

    raise typer.Exit(run(files, settings.config, as_json=json_lines))
