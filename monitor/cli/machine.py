"""Commands about this computer and the settings."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.options import JsonOnly
from monitor.cli.shared import Publishing, Settled, unfolded


def devices(json_lines: JsonOnly = False) -> None:
    """List the inputs that --device takes, by number or name: microphones, and system audio (what this computer plays).

    Where there is none of a kind, the steps that make one are printed.
    """
    from monitor.commands.devices import devices as run

    run(as_json=json_lines)


@unfolded
def doctor(
    *,
    publishing: Publishing,
) -> None:
    """Check sound system, microphone, system audio, network weights, processor, port and file formats.

    Under each fault stands the line that mends it. Exit status 2 if there is any.
    """
    settings = publishing.settings()
    from monitor.commands.doctor import doctor as run

    raise typer.Exit(run(settings.config))


@unfolded
def show_config(*, settled: Settled, json_lines: JsonOnly = False) -> None:
    """Show every setting and where its value comes from.

    Later ones win: built-in default, settings file, environment (MONITOR_ALERTS__ALERT_LLR=3), options.
    """
    settings = settled.settings()
    from monitor.commands.config import show

    show(settings, as_json=json_lines)


def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="Type of event, such as alert.opened (default: all of them).")
    ] = None,
) -> None:
    """Print the JSON Schema of a type of event: its fields, with units and ranges.

    Without a type: one JSON object of all schemas, by name; cloudevent is that of the envelope.
    """
    from monitor.commands.schema import show

    show(name)
