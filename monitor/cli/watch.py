"""Commands that watch calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import FailOnAlert, Json, Picture, Speed
from monitor.cli.shared import Watching, unfolded


@unfolded
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recording or capture; stereo = one party a side.")],
    speed: Speed = "1",
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Watch these channels, under these names: caller=left,agent=right, or just left."
        ),
    ] = None,
    read_ms: Annotated[
        int,
        typer.Option(metavar="MS", min=1, max=10_000, help="Milliseconds read at once; the result is the same."),
    ] = 20,
    *,
    watching: Watching,
    json_lines: Json = False,
    fail_on_alert: FailOnAlert = False,
    svg: Picture = None,
) -> None:
    """Watch a recorded call as if it were live.

    Reads wav, flac, ogg, mp3, m4a, amr, webm, the sound of videos, and network captures (pcap, pcapng) with RTP: each
    call in a capture is watched, one after the other, its parties as channels.
    """
    settings = watching.settings()
    from monitor.commands.replay import Replay
    from monitor.commands.replay import replay as run

    wanted = Replay(file, speed, channels, read_ms, json_lines, fail_on_alert, svg)
    raise typer.Exit(run(wanted, settings.config))


@unfolded
def serve(
    rtp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT", help="Take RTP here; HOST:PORT+PORT for the two parties of a call. May be repeated."
        ),
    ] = None,
    audiosocket: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Let Asterisk's AudioSocket connect here. May be repeated."),
    ] = None,
    websocket: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT", help="Take calls over WebSocket here; the path, such as /twilio, names the protocol."
        ),
    ] = None,
    web: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:PORT]", help="Offer a page that shows all calls (default address: 127.0.0.1:8000)."
        ),
    ] = None,
    *,
    watching: Watching,
    json_lines: Json = False,
) -> None:
    """Watch many live calls at once: a table of them, the gravest first; arrow keys and enter open one.

    Calls come from taps, which are switched on here or in config.toml ([taps.rtp] listen = ["127.0.0.1:5004"]), and end
    when their peer says so, or when nothing comes for serve.idle_s seconds. --web shows them in a browser, too, which
    may offer its own microphone as a call.
    """
    settings = watching.settings(
        ("--rtp", "taps.rtp.listen", rtp),
        ("--audiosocket", "taps.audiosocket.listen", audiosocket),
        ("--websocket", "taps.websocket.listen", websocket),
        ("--web", "web.listen", web),
        ("--insecure", "serve.insecure", watching.insecure or None),
    )
    from monitor.commands.serve import serve as run

    raise typer.Exit(run(settings.config, json_lines=json_lines))


@unfolded
def demo(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Recording of a human voice, 12 s or more (default: telephone prompts)."),
    ] = None,
    speed: Speed = "1",
    keep: Annotated[Path, typer.Option(metavar="FILE", help="Where the call is written.")] = Path("demo/call.wav"),
    *,
    watching: Watching,
    json_lines: Json = False,
    svg: Picture = None,
) -> None:
    """Make a call in which a human voice turns into a synthetic one half-way, and watch it."""
    settings = watching.settings()
    from monitor.commands.demo import demo as run
    from monitor.commands.replay import Replay

    wanted = Replay(keep, speed, None, 20, json_lines, False, svg)
    raise typer.Exit(run(file, wanted, settings.config))


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
    from monitor.commands.simulate import Simulation, parse_options
    from monitor.commands.simulate import simulate as run
    from monitor.simulate.plan import Impairments

    network = Impairments(loss, jitter_ms, reorder)
    raise typer.Exit(run(Simulation(tap, file, to, network, calls, parse_options(options or []))))
