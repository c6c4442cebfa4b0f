"""`monitor simulate`: play a recorded call into a tap, as its real peer would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    tap: Annotated[str, typer.Argument(metavar="TAP", help="Whose far end to play; a wrong name lists them.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recorded call; stereo = one party a side.")],
    to: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where the monitor listens (default: the tap's usual place).")
    ] = "",
    loss: Annotated[float, typer.Option(min=0, max=1, help="Share of the frames that get lost on the way.")] = 0.0,
    jitter_ms: Annotated[float, typer.Option(min=0, max=5000, help="Each frame is late by up to so much.")] = 0.0,
    reorder: Annotated[bool, typer.Option("--reorder", help="Let frames overtake each other.")] = False,
    calls: Annotated[int, typer.Option(min=1, max=1000, help="Calls at once.")] = 1,
    options: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="KEY=VALUE", help="An option of the tap, such as codec=G722. May be repeated."),
    ] = None,
) -> None:
    """Play a recorded call into a running monitor, as the real peer of a tap would, in real time."""
    from monitor.simulate.plan import Impairments
    from monitor.simulate.play import SimulationOptions, parse_options
    from monitor.simulate.play import simulate as run

    network = Impairments(loss, jitter_ms, reorder)
    raise typer.Exit(run(SimulationOptions(tap, file, to, network, calls, parse_options(options or []))))
