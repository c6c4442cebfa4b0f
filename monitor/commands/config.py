"""`monitor config`: the effective settings and where each comes from."""

from __future__ import annotations

import json

from monitor.config.load import Settings


def show(settings: Settings, *, as_json: bool) -> None:
    """Print a line for each setting: key, value, origin."""
    rows = list(settings.rows())
    if as_json:
        for key, value, origin in rows:
            print(_json({"key": key, "value": value, "origin": origin}))
        return
    keys = max(len(key) for key, _, _ in rows)
    values = max(len(_json(value)) for _, value, _ in rows)
    for key, value, origin in rows:
        print(f"{key:<{keys}}  {_json(value):<{values}}  {origin}")


def _json(value: object) -> str:
    """A secret as asterisks."""
    return json.dumps(value, default=str)
