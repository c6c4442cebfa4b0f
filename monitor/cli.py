"""The options of the command `monitor`; each command's work is in a file of its own, under commands/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from monitor.errors import BadInputError
from monitor.options import (
    Assignments,
    ConfigFile,
    FailOnAlert,
    Journal,
    Json,
    JsonOnly,
    NoPublish,
    Picture,
    Publish,
    Screen,
    Speed,
    Weights,
    read_settings,
)

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def live(
    context: typer.Context,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", metavar="NAME", help="Microphone to watch: mic = the default one, a number, or part of a name."
        ),
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
    """Says, while a call goes on, how likely it is that a voice is synthetic.

    \b
    monitor --device mic       watch the default microphone
    monitor replay call.wav    watch a recording as if it were live
    monitor COMMAND --help     the options of a command

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
    if device is None:
        _nothing_alone(given)
        typer.echo(context.get_help())
        return
    settings = read_settings(
        config, assignments, weights=weights, publish=publish, no_publish=no_publish, journal=journal, screen=screen
    )
    from monitor.commands.live import live as run

    raise typer.Exit(run(device, settings.config, json_lines=json_lines, fail_on_alert=fail_on_alert))


def _nothing_before(command: str, given: Sequence[str]) -> None:
    if given:
        raise BadInputError(
            f"{given[0]} stands before {command}, where it would change nothing",
            f"options of a command follow it: monitor {command} ... {given[0]} ...",
        )


def _nothing_alone(given: Sequence[str]) -> None:
    if given:
        raise BadInputError(
            f"{given[0]}, but nothing to watch",
            "name a microphone (monitor --device mic) or a command (see --help)",
        )


@app.command(short_help="Watch a recorded call as if it were live.")
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recording or capture; stereo = one party a side.")],
    speed: Speed = "1",
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Watch these channels, under these names: caller=left,agent=right, or just left."
        ),
    ] = None,
    read_ms: Annotated[
        int,
        typer.Option(metavar="MS", min=1, max=10_000, help="Milliseconds read at once; the result is the same."),
    ] = 20,
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
    publish: Publish = None,
    no_publish: NoPublish = False,
    journal: Journal = None,
    screen: Screen = None,
    json_lines: Json = False,
    fail_on_alert: FailOnAlert = False,
    svg: Picture = None,
) -> None:
    """Watch a recorded call as if it were live.

    Reads wav, flac, ogg, mp3, m4a, amr, webm, the sound of videos, and network captures (pcap, pcapng) with RTP: each
    call in a capture is watched, one after the other, its parties as channels.
    """
    settings = read_settings(
        config, assignments, weights=weights, publish=publish, no_publish=no_publish, journal=journal, screen=screen
    )
    from monitor.commands.replay import Replay
    from monitor.commands.replay import replay as run

    wanted = Replay(file, speed, channels, read_ms, json_lines, fail_on_alert, svg)
    raise typer.Exit(run(wanted, settings.config))


@app.command(short_help="Watch many live calls at once, from the taps that are switched on.")
def serve(
    rtp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT", help="Take RTP here; HOST:PORT+PORT for the two parties of a call. May be repeated."
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine although nothing protects the tap.")
    ] = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
    publish: Publish = None,
    no_publish: NoPublish = False,
    journal: Journal = None,
    screen: Screen = None,
    json_lines: Json = False,
) -> None:
    """Watch many live calls at once: a table of them, the gravest first; arrow keys and enter open one.

    Calls come from taps, which are switched on here or in config.toml ([taps.rtp] listen = ["127.0.0.1:5004"]), and end
    when their peer says so, or when nothing comes for serve.idle_s seconds.
    """
    settings = read_settings(
        config,
        assignments,
        weights=weights,
        publish=publish,
        no_publish=no_publish,
        journal=journal,
        screen=screen,
        named={"--rtp": ("taps.rtp.listen", rtp), "--insecure": ("serve.insecure", insecure or None)},
    )
    from monitor.commands.serve import serve as run

    raise typer.Exit(run(settings.config, json_lines=json_lines))


@app.command(short_help="Judge whole recordings: one line for each file and channel.")
def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Recordings.")],
    json_lines: JsonOnly = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
) -> None:
    """Judge whole recordings: one line for each file and channel, in the order given.

    p_fake is the probability that the voice is synthetic, llr the evidence for it (log-likelihood ratio, in nats), both
    of all speech in the file; the state is the gravest on the way. A file that cannot be read is named, the others are
    judged all the same, and the exit status is 2.
    """
    settings = read_settings(config, assignments, weights=weights)
    from monitor.commands.score import score as run

    raise typer.Exit(run(files, settings.config, as_json=json_lines))


@app.command(short_help="Print what a running monitor finds.")
def subscribe(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Where the running monitor publishes.")
    ] = "tcp://127.0.0.1:5556",
    json_lines: Annotated[bool, typer.Option("--json", help="Write each event as a JSON line.")] = False,
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
) -> None:
    """Print what a running monitor finds, until Ctrl-C."""
    from monitor.commands.subscribe import subscribe as run

    raise typer.Exit(run(address, json_lines, topic or [""], count, timeout))


@app.command(short_help="List the microphones that --device takes.")
def devices(json_lines: JsonOnly = False) -> None:
    """List the microphones and other inputs that --device takes, by number or name."""
    from monitor.commands.devices import devices as run

    run(as_json=json_lines)


@app.command(short_help="Watch a call whose voice turns synthetic half-way.")
def demo(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Recording of a human voice, 12 s or more (default: telephone prompts)."),
    ] = None,
    speed: Speed = "1",
    keep: Annotated[Path, typer.Option(metavar="FILE", help="Where the call is written.")] = Path("demo/call.wav"),
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
    publish: Publish = None,
    no_publish: NoPublish = False,
    journal: Journal = None,
    screen: Screen = None,
    json_lines: Json = False,
    svg: Picture = None,
) -> None:
    """Make a call in which a human voice turns into a synthetic one half-way, and watch it."""
    settings = read_settings(
        config, assignments, weights=weights, publish=publish, no_publish=no_publish, journal=journal, screen=screen
    )
    from monitor.commands.demo import demo as run
    from monitor.commands.replay import Replay

    wanted = Replay(keep, speed, None, 20, json_lines, False, svg)
    raise typer.Exit(run(file, wanted, settings.config))


@app.command(short_help="Check this computer, and say how to mend what is wrong.")
def doctor(
    config: ConfigFile = None,
    assignments: Assignments = None,
    weights: Weights = None,
    publish: Publish = None,
    no_publish: NoPublish = False,
) -> None:
    """Check sound system, microphone, network weights, processor, port and file formats.

    Under each fault stands the line that mends it. Exit status 2 if there is any.
    """
    settings = read_settings(config, assignments, weights=weights, publish=publish, no_publish=no_publish)
    from monitor.commands.doctor import doctor as run

    raise typer.Exit(run(settings.config))


@app.command(name="config", short_help="Show every setting and where its value comes from.")
def show_config(config: ConfigFile = None, assignments: Assignments = None, json_lines: JsonOnly = False) -> None:
    """Show every setting and where its value comes from.

    Later ones win: built-in default, settings file, environment (MONITOR_ALERTS__ALERT_LLR=3), options.
    """
    settings = read_settings(config, assignments)
    from monitor.commands.config import show

    show(settings, as_json=json_lines)
