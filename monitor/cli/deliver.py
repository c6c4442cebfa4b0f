"""Commands about the stream of events: who may read it, and whether the journal is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import JsonOnly

Folder = Annotated[
    Path, typer.Option("--keys", metavar="DIR", help="Where the keys are, as in zeromq.keys.", envvar="MONITOR_KEYS")
]


def subscribe(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Where the running monitor publishes.")
    ] = "tcp://127.0.0.1:5556",
    json_lines: Annotated[bool, typer.Option("--json", help="Write each event as a JSON line.")] = False,
    cloudevents: Annotated[
        bool, typer.Option("--cloudevents", help="Write each event as a JSON line in the envelope of CloudEvents 1.0.")
    ] = False,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PREFIX",
            help="Only topics that begin so: alert, score.call1 ... May be given several times.",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after N events.")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="End after so long; with --count, status 1 if that were too few."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="SEQ", help="Begin with this number of the current run, or EPOCH:SEQ of any."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Go on where the last run with this file stopped.")
    ] = None,
    server_key: Annotated[
        str, typer.Option(metavar="KEY", help="The publisher's public key, or its file, where the stream is encrypted.")
    ] = "",
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own secret key: the file that ends in .key_secret.")
    ] = None,
    replay: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Where to fetch what was missed (default: where the publisher says)."),
    ] = None,
) -> None:
    """Print what a running monitor finds, until Ctrl-C. What is lost on the way is fetched again."""
    from monitor.commands.subscribe import Wanted
    from monitor.commands.subscribe import subscribe as run

    wanted = Wanted(tuple(topic or [""]), count, timeout, since, state, server_key, key, replay)
    raise typer.Exit(run(address, json_lines, wanted, cloudevents))


keys = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


@keys.callback()
def _keys() -> None:
    """Make and manage the keys that encrypt the stream and say who may read it.

    \b
    monitor keys new                       the publisher's own pair
    monitor keys new anna                  a pair for a subscriber
    monitor keys allow keys/anna.key       let it in
    monitor --set zeromq.keys=keys ...     publish with keys
    """


@keys.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose pair; server = the publisher's.")] = "server",
    folder: Folder = Path("keys"),
) -> None:
    """Make a pair of keys: NAME.key to hand out, and NAME.key_secret, which only its owner may read."""
    from monitor.commands.keys import new as run

    run(folder, name)


@keys.command()
def allow(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A public key, or its file.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it (default: the file's name).")] = "",
    folder: Folder = Path("keys"),
) -> None:
    """Let the owner of a key subscribe. A running publisher notices within a second."""
    from monitor.commands.keys import allow as run

    run(folder, key, name)


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As 'monitor keys list' shows it.")],
    folder: Folder = Path("keys"),
) -> None:
    """Let a key in no more. A running publisher ends its connections within a second or two."""
    from monitor.commands.keys import revoke as run

    run(folder, name)


@keys.command(name="list")
def show(json_lines: JsonOnly = False, folder: Folder = Path("keys")) -> None:
    """List the publisher's public key and the keys that are let in."""
    from monitor.commands.keys import show as run

    run(folder, as_json=json_lines)
