"""The command `monitor`. The only place that prints errors and exits; each command's work is in a file of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.errors import MonitorError

if TYPE_CHECKING:
    from monitor.settings import Settings

INTERRUPTED = 130

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Says, while a call goes on, how likely it is that the voice is synthetic.\n\n"
    "monitor --device mic watches the microphone; monitor replay FILE a recording. Exit status: 0 done, 2 bad input or "
    "configuration, 3 an alert was raised and --fail-on-alert was given, 130 interrupted.",
)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration file (default: ./config.toml).")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting. May be repeated.")
]
Weights = Annotated[Path | None, typer.Option("--weights", help="Weights file (default: the one that came along).")]
Publish = Annotated[str | None, typer.Option("--publish", metavar="ADDRESS", help="Where ZeroMQ events are published.")]
NoPublish = Annotated[bool, typer.Option("--no-publish", help="Do not publish on ZeroMQ.")]
Journal = Annotated[Path | None, typer.Option("--journal", help="Append every event to this file as a JSON line.")]
Screen = Annotated[str | None, typer.Option("--screen", help="auto, full, line, plain or off.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON lines to standard output, and nothing else.")]
FailOnAlert = Annotated[bool, typer.Option("--fail-on-alert", help="Exit with 3 if an alert was raised.")]


def _settings(
    config: Path | None,
    assignments: list[str] | None,
    *,
    weights: Path | None = None,
    publish: str | None = None,
    no_publish: bool = False,
    journal: Path | None = None,
    screen: str | None = None,
) -> Settings:
    from monitor.settings import load_settings, parse_assignment

    flags = dict(parse_assignment(text) for text in assignments or [])
    named: dict[str, object] = {
        "model.weights": str(weights) if weights else None,
        "zeromq.address": publish,
        "zeromq.enabled": False if no_publish else None,
        "journal.path": str(journal) if journal else None,
        "dashboard.mode": screen,
    }
    return load_settings(config, os.environ, flags | {k: v for k, v in named.items() if v is not None})


@app.callback(invoke_without_command=True)
def live(
    context: typer.Context,
    device: Annotated[
        str | None, typer.Option("--device", help="Microphone: mic (the default input), an index, or part of a name.")
    ] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
    publish: Publish = None,
    no_publish: NoPublish = False,
    journal: Journal = None,
    screen: Screen = None,
    json_lines: Json = False,
    fail_on_alert: FailOnAlert = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"monitor {installed('deepfake-speech-monitor')}")
        return
    if context.invoked_subcommand is not None:
        return
    if device is None:
        typer.echo(context.get_help())
        return
    settings = _settings(
        config, assignments, weights=weights, publish=publish, no_publish=no_publish, journal=journal, screen=screen
    )
    from monitor.commands.live import live as run

    raise typer.Exit(run(device, settings.config, json_lines=json_lines, fail_on_alert=fail_on_alert))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A recording; a stereo file is one party a channel.")],
    speed: Annotated[str, typer.Option(help="max, or how many times real time, such as 1.")] = "1",
    channels: Annotated[str | None, typer.Option(help="Names and places: caller=left,agent=right or caller=1.")] = None,
    read_ms: Annotated[int, typer.Option(min=1, max=10_000, help="Audio read at once.")] = 20,
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
    publish: Publish = None,
    no_publish: NoPublish = False,
    journal: Journal = None,
    screen: Screen = None,
    json_lines: Json = False,
    fail_on_alert: FailOnAlert = False,
    svg: Annotated[Path | None, typer.Option(help="Write a picture of the last screen to this file.")] = None,
) -> None:
    """Watch a recorded call as if it were live."""
    settings = _settings(
        config, assignments, weights=weights, publish=publish, no_publish=no_publish, journal=journal, screen=screen
    )
    from monitor.commands.replay import Replay
    from monitor.commands.replay import replay as run

    wanted = Replay(file, speed, channels, read_ms, json_lines, fail_on_alert, svg)
    raise typer.Exit(run(wanted, settings.config))


@app.command()
def score(
    files: Annotated[list[Path], typer.Argument(help="Recordings.")],
    json_lines: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
) -> None:
    """One line for each file and channel: likelihood, log-likelihood ratio, net speech, state, families."""
    settings = _settings(config, assignments, weights=weights)
    from monitor.commands.score import score as run

    raise typer.Exit(run(files, settings.config, as_json=json_lines))


@app.command()
def subscribe(
    address: Annotated[str, typer.Argument(help="Of a running monitor.")] = "tcp://127.0.0.1:5556",
    json_lines: Json = False,
    topic: Annotated[
        list[str] | None, typer.Option(help="Only topics that begin so, such as alert. May be repeated.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0, help="End after so many seconds.")] = None,
) -> None:
    """Print what a running monitor says."""
    from monitor.commands.subscribe import subscribe as run

    raise typer.Exit(run(address, json_lines, topic or [""], count, timeout))


@app.command()
def devices(json_lines: Json = False) -> None:
    """List the inputs that --device takes."""
    from monitor.commands.devices import devices as run

    run(as_json=json_lines)


@app.command()
def demo(
    file: Annotated[
        Path | None, typer.Argument(help="A recording of a human voice (default: telephone prompts).")
    ] = None,
    speed: Annotated[str, typer.Option(help="max, or how many times real time, such as 1.")] = "1",
    keep: Annotated[Path, typer.Option(help="Where the demonstration call is written.")] = Path("demo/call.wav"),
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
    publish: Publish = None,
    no_publish: NoPublish = False,
    journal: Journal = None,
    screen: Screen = None,
    json_lines: Json = False,
    svg: Annotated[Path | None, typer.Option(help="Write a picture of the last screen to this file.")] = None,
) -> None:
    """Watch a call in which a human voice turns into a synthetic one half-way."""
    settings = _settings(
        config, assignments, weights=weights, publish=publish, no_publish=no_publish, journal=journal, screen=screen
    )
    from monitor.commands.demo import demo as run
    from monitor.commands.replay import Replay

    wanted = Replay(keep, speed, None, 20, json_lines, False, svg)
    raise typer.Exit(run(file, wanted, settings.config))


@app.command()
def doctor(config: ConfigFile = None, assignments: Assignments = None, weights: Weights = None) -> None:
    """Check the sound system, the devices, the GPU, the weights and the ports; say how to mend what is wrong."""
    settings = _settings(config, assignments, weights=weights)
    from monitor.commands.doctor import doctor as run

    raise typer.Exit(run(settings.config))


@app.command(name="config")
def show_config(config: ConfigFile = None, assignments: Assignments = None, json_lines: Json = False) -> None:
    """Show every setting, and whether it comes from the defaults, a file, the environment or a flag."""
    settings = _settings(config, assignments)
    from monitor.commands.config import show

    show(settings, as_json=json_lines)


def run_cli(program: Callable[[], None]) -> int:
    """Run a command; faults end in one or two lines on standard error."""
    try:
        program()
    except MonitorError as error:
        hint = f"\n  {error.hint}" if error.hint else ""
        print(f"error: {error.message}{hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def main() -> None:
    """Entry point of `monitor`."""
    sys.exit(run_cli(app))
