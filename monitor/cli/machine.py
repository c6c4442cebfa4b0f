"""Commands about this computer and the settings."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.options import Assignments, ConfigFile, Insecure, JsonOnly, NoPublish, Publish, Weights, read_settings


def devices(json_lines: JsonOnly = False) -> None:
    """List the inputs that --device takes, by number or name: microphones, and system audio (what this computer plays).

    Where there is none of a kind, the steps that make one are printed.
    """
    from monitor.commands.devices import devices as run

    run(as_json=json_lines)


def doctor(
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
    publish: Publish = None,
    no_publish: NoPublish = False,
    insecure: Insecure = False,
) -> None:
    """Check sound system, microphone, system audio, network weights, processor, port and file formats.

    Under each fault stands the line that mends it. Exit status 2 if there is any.
    """
    settings = read_settings(
        config, assignments, weights=weights, publish=publish, no_publish=no_publish, insecure=insecure
    )
    from monitor.commands.doctor import doctor as run

    raise typer.Exit(run(settings.config))


def show_config(config: ConfigFile = None, assignments: Assignments = None, json_lines: JsonOnly = False) -> None:
    """Show every setting and where its value comes from.

    Later ones win: built-in default, settings file, environment (MONITOR_ALERTS__ALERT_LLR=3), options.
    """
    settings = read_settings(config, assignments)
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
