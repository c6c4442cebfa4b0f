"""`monitor serve`: watch many live calls at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from monitor.cli.option_groups import Flag, WatchOptions
from monitor.cli.options import JsonOption
from monitor.cli.typer_commands import expand_options


@dataclass(frozen=True)
class TapOptions:
    """The options that this command alone has: where calls come from, where they are shown and scored."""

    rtp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT", help="Receive RTP here; HOST:PORT+PORT for the two parties of a call. May be repeated."
        ),
    ] = None
    audiosocket: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Receive AudioSocket (Asterisk) here. May be repeated."),
    ] = None
    websocket: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Receive calls over WebSocket here; the path, such as /twilio, names the protocol.",
        ),
    ] = None
    web: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:PORT]", help="Serve a web page that shows all calls (default address: 127.0.0.1:8000)."
        ),
    ] = None
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:PORT]",
            help="Let shards on a Ray cluster score the calls (default: start Ray on this machine).",
        ),
    ] = None

    def flags(self) -> tuple[Flag, ...]:
        """Return the settings that they stand for."""
        return (
            ("--rtp", "taps.rtp.listen", self.rtp),
            ("--audiosocket", "taps.audiosocket.listen", self.audiosocket),
            ("--websocket", "taps.websocket.listen", self.websocket),
            ("--web", "web.listen", self.web),
            ("--cluster", "cluster.address", self.cluster),
        )


@expand_options
def serve(*, taps: TapOptions, options: WatchOptions, json_lines: JsonOption = False) -> None:
    """Watch many live calls at once: a table of them, the worst first; arrow keys and enter open one.

    Calls come from taps, which are switched on here or in config.toml ([taps.rtp] listen = ["127.0.0.1:5004"]), and end
    when their peer says so, or when nothing comes for serve.idle_s seconds. --web shows them in a browser, too, which
    may offer its own microphone as a call. --cluster lets other processes and machines score the calls, while this one
    takes their audio and publishes what is found.
    """
    settings = options.settings(*taps.flags(), ("--insecure", "serve.insecure", options.insecure or None))
    from monitor.serve.server import serve as run

    raise typer.Exit(run(settings.config, json_lines=json_lines))
