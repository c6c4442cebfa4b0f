"""`monitor replay`: watch a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.option_groups import WatchOptions
from monitor.cli.options import FailOnAlert, JsonOption, PictureOption, RawFormatOption, Speed, TrackOption
from monitor.cli.typer_commands import expand_options


@expand_options
def replay(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Recording or capture; in stereo, each side is one party.")
    ],
    speed: Speed = "1",
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Watch these channels, under these names: caller=left,agent=right, or just left."
        ),
    ] = None,
    read_ms: Annotated[
        int | None,
        typer.Option(
            metavar="MS", min=1, max=10_000, help="Milliseconds to read at once; the result does not depend on it."
        ),
    ] = None,
    track: TrackOption = None,
    raw_format: RawFormatOption = None,
    *,
    options: WatchOptions,
    json_lines: JsonOption = False,
    fail_on_alert: FailOnAlert = False,
    svg: PictureOption = None,
) -> None:
    """Watch a recorded call as if it were live.

    Reads wav, flac, ogg, mp3, m4a, amr, webm, the sound of videos, and network captures (pcap, pcapng) with RTP: each
    call in a capture is watched, one after the other, its parties as channels.
    """
    settings = options.settings()
    from monitor.session.replay import ReplayOptions
    from monitor.session.replay import replay as run

    wanted = ReplayOptions(file, speed, channels, read_ms, json_lines, fail_on_alert, svg, track, raw_format)
    raise typer.Exit(run(wanted, settings.config))
