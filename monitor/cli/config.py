"""`monitor config`: the effective settings and where each comes from."""

from __future__ import annotations

import json

from monitor.cli.option_groups import SettingsOptions
from monitor.cli.options import JsonOnly
from monitor.cli.typer_commands import expand_options


@expand_options
def show_config(*, options: SettingsOptions, json_lines: JsonOnly = False) -> None:
    """Show every setting and where its value comes from.

    Later ones win: built-in default, settings file, environment (MONITOR_ALERTS__ALERT_LLR=3), options.
    """
    rows = list(options.settings().rows())
    if json_lines:
        for key, value, origin in rows:
            print(_json({"key": key, "value": value, "origin": origin}))
        return
    keys = max(len(key) for key, _, _ in rows)
    values = max(len(_json(value)) for _, value, _ in rows)
    for key, value, origin in rows:
        print(f"{key:<{keys}}  {_json(value):<{values}}  {origin}")


def _json(value: object) -> str:
    """Write a value as JSON, a secret as asterisks."""
    return json.dumps(value, default=str)
