"""`monitor demo`: watch a call whose voice turns synthetic half-way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.option_groups import WatchOptions
from monitor.cli.options import JsonOption, PictureOption, Speed
from monitor.cli.typer_commands import expand_options


@expand_options
def demo(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Recording of a human voice, 10 s or more (default: telephone prompts)."),
    ] = None,
    speed: Speed = "1",
    keep: Annotated[Path, typer.Option(metavar="FILE", help="File for the call.")] = Path("demo/call.wav"),
    *,
    options: WatchOptions,
    json_lines: JsonOption = False,
    svg: PictureOption = None,
) -> None:
    """Make a call in which a human voice turns into a synthetic one half-way, and watch it."""
    settings = options.settings()
    from monitor.session.demo_call import demo as run
    from monitor.session.replay import ReplayOptions

    replay_options = ReplayOptions(keep, speed, None, 20, json_lines, False, svg)
    raise typer.Exit(run(file, replay_options, settings.config))
