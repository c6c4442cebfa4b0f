"""`monitor keys`: who may read the stream."""

from __future__ import annotations

import json
from pathlib import Path

from monitor.delivery import keys


def new(folder: Path, name: str) -> None:
    """Make a pair. Raises BadInputError."""
    public, secret = keys.new(folder, name)
    power = "pose as the publisher" if name == keys.SERVER else "subscribe, once it is let in"
    print(f"{secret}  keep secret: whoever has it can {power}")
    if name == keys.SERVER:
        print(f"{public}  give it to subscribers: monitor subscribe --server-key {public} --key ...")
    else:
        print(f"{public}  let it in: monitor keys allow {public} --keys {folder}")


def allow(folder: Path, key: str, name: str) -> None:
    """Let a key in. Raises BadInputError."""
    called, public = keys.allow(folder, key, name)
    print(f"allowed {called}  {public}")


def revoke(folder: Path, name: str) -> None:
    """Let it in no more. Raises BadInputError."""
    keys.revoke(folder, name)
    print(f"revoked {name}; a running publisher ends its connections within a second or two")


def show(folder: Path, *, as_json: bool) -> None:
    """Print the keys. Raises BadInputError where the publisher has none."""
    server, allowed = keys.server(folder).public, keys.allowed(folder)
    if as_json:
        print(json.dumps({"server": server, "allowed": allowed}))
        return
    width = max(map(len, (keys.SERVER, *allowed)))
    print(f"{keys.SERVER:<{width}}  {server}  the publisher")
    for name, key in allowed.items():
        print(f"{name:<{width}}  {key}  allowed")
