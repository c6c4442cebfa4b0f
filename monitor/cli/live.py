"""`monitor` without a command: watch a microphone, what the computer plays, or both sides of a call."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.option_groups import WatchOptions
from monitor.cli.options import FailOnAlert, JsonOption
from monitor.cli.typer_commands import expand_options
from monitor.errors import BadInputError

if TYPE_CHECKING:
    from monitor.config.schema import Config


Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Input to watch: mic = the default microphone, system = what this computer plays, system=NAME = what that "
        "output plays, or the number or part of the name of an input (see: monitor devices). Given twice: both sides "
        "of one call.",
    ),
]
WebOption = Annotated[
    str | None,
    typer.Option(metavar="[HOST:PORT]", help="Show it in a browser, too (default address: 127.0.0.1:8000)."),
]


@expand_options
def live(
    context: typer.Context,
    device: Devices = None,
    web: WebOption = None,
    *,
    options: WatchOptions,
    json_lines: JsonOption = False,
    fail_on_alert: FailOnAlert = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.")] = False,
) -> None:
    """Detect synthetic voices in calls, while they go on.

    \b
    monitor --device mic                   watch the default microphone
    monitor --device mic --device system   watch both sides of a call on this computer
    monitor replay call.wav                watch a recording as if it were live
    monitor COMMAND --help                 the options of a command

    \b
    Exit status: 0 done, 2 bad input or settings, 130 interrupted by Ctrl-C,
    3 an alert was raised and --fail-on-alert was given.
    """
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"monitor {installed('deepfake-speech-monitor')}")
        return
    given = [p.opts[0] for p in context.command.params if context.params.get(p.name or "")]
    if context.invoked_subcommand is not None:
        _nothing_before(context.invoked_subcommand, given)
        return
    if not device:
        _nothing_alone(given)
        typer.echo(context.get_help())
        return
    settings = options.settings(
        ("--web", "web.listen", web), ("--insecure", "serve.insecure", options.insecure or None)
    )
    raise typer.Exit(_watch(device, settings.config, json_lines=json_lines, fail_on_alert=fail_on_alert))


def _nothing_before(command: str, given: Sequence[str]) -> None:
    if given:
        raise BadInputError(
            f"{given[0]} before {command} has no effect",
            f"options of a command follow it: monitor {command} ... {given[0]} ...",
        )


def _nothing_alone(given: Sequence[str]) -> None:
    if given:
        raise BadInputError(
            f"{given[0]}, but nothing to watch", "name an input (monitor --device mic) or a command (see --help)"
        )


def _watch(devices: Sequence[str], config: Config, *, json_lines: bool, fail_on_alert: bool) -> int:
    """Watch inputs as one call until Ctrl-C or q. Returns the exit status; raises BadInputError for a wrong device."""
    from monitor.sources.call_sides import open_sides

    sources = open_sides(devices, config.input)
    with ExitStack() as stack:
        for source in sources:
            stack.callback(source.close)
        # torch takes seconds to load: a device that is not there is named before that.
        from monitor.session.watch import CallSources, call_name, watch

        stem = "call" if len(sources) > 1 else sources[0].channels[0].partition("-")[0]
        watched, companion = CallSources(call_name(stem, live=True), sources), None
        if config.web.listen:
            from monitor.serve.watched_page import WatchedPage

            companion = WatchedPage(config)
        return watch([watched], config, json_lines=json_lines, fail_on_alert=fail_on_alert, companion=companion)
