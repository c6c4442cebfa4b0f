"""`monitor simulate`: play a recorded call into a tap, as its real peer would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    tap: Annotated[str, typer.Argument(metavar="TAP", help="Tap to send to, such as rtp; a wrong name lists all.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recorded call; in stereo, each side is one party.")],
    to: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Address where the monitor listens (default: the tap's default address)."),
    ] = "",
    loss: Annotated[float, typer.Option(min=0, max=1, metavar="SHARE", help="Share of the frames to lose.")] = 0.0,
    jitter_ms: Annotated[float, typer.Option(min=0, max=5000, metavar="MS", help="Largest delay of a frame.")] = 0.0,
    reorder: Annotated[bool, typer.Option("--reorder", help="Send some frames out of order.")] = False,
    calls: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Number of calls at once.")] = 1,
    options: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="KEY=VALUE", help="An option of the tap, such as codec=G722. May be repeated."),
    ] = None,
) -> None:
    """Send a recorded call to a running monitor in real time, as the real peer of a tap would."""
    from monitor.simulate.plan import Impairments
    from monitor.simulate.play import SimulationOptions, parse_options
    from monitor.simulate.play import simulate as run

    network = Impairments(loss, jitter_ms, reorder)
    raise typer.Exit(run(SimulationOptions(tap, file, to, network, calls, parse_options(options or []))))
