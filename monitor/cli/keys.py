"""`monitor keys`: the keys that encrypt the stream, and who may read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import Command, JsonOnly

Folder = Annotated[
    Path, typer.Option("--keys", metavar="DIR", help="Folder of the keys, as in zeromq.keys.", envvar="MONITOR_KEYS")
]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]})


@app.callback()
def _keys() -> None:
    """Make and manage the keys that encrypt the stream and say who may read it.

    \b
    monitor keys new                       the publisher's own pair
    monitor keys new anna                  a pair for a subscriber
    monitor keys allow keys/anna.key       let it in
    monitor --set zeromq.keys=keys ...     publish with keys
    """


@app.command(cls=Command)
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the pair; server: the publisher's.")] = "server",
    folder: Folder = Path("keys"),
) -> None:
    """Make a pair of keys.

    NAME.key is for others; NAME.key_secret is for its owner alone, who may read it and nobody else.
    """
    from monitor.delivery import keys

    public, secret = keys.new(folder, name)
    power = "pose as the publisher" if name == keys.SERVER else "subscribe, once it is let in"
    print(f"{secret}  keep secret: whoever has it can {power}")
    if name == keys.SERVER:
        print(f"{public}  give it to subscribers: monitor subscribe --server-key {public} --key ...")
    else:
        print(f"{public}  let it in: monitor keys allow {public} --keys {folder}")


@app.command(cls=Command)
def allow(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A public key, or its file.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the key (default: the file's name).")] = "",
    folder: Folder = Path("keys"),
) -> None:
    """Allow the owner of a key to subscribe. A running publisher notices within a second."""
    from monitor.delivery import keys

    called, public = keys.allow(folder, key, name)
    print(f"allowed {called}  {public}")


@app.command(cls=Command)
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name that 'monitor keys list' shows.")],
    folder: Folder = Path("keys"),
) -> None:
    """Remove a subscriber's key. A running publisher ends its connections within a second or two."""
    from monitor.delivery import keys

    keys.revoke(folder, name)
    print(f"revoked {name}; a running publisher ends its connections within a second or two")


@app.command(name="list", cls=Command)
def show(json_lines: JsonOnly = False, folder: Folder = Path("keys")) -> None:
    """List the publisher's public key and the keys that are let in."""
    from monitor.delivery import keys

    server, allowed = keys.server(folder).public, keys.allowed(folder)
    if json_lines:
        print(json.dumps({"server": server, "allowed": allowed}))
        return
    width = max(map(len, (keys.SERVER, *allowed)))
    print(f"{keys.SERVER:<{width}}  {server}  the publisher")
    for name, key in allowed.items():
        print(f"{name:<{width}}  {key}  allowed")
