"""The program `monitor`: its commands, and the only place that prints errors and exits."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import typer

from monitor.cli.calibrate import calibrate
from monitor.cli.cluster import cluster
from monitor.cli.config import show_config
from monitor.cli.demo import demo
from monitor.cli.devices import devices
from monitor.cli.doctor import doctor
from monitor.cli.keys import app as keys
from monitor.cli.live import live
from monitor.cli.options import Command, CommandGroup
from monitor.cli.replay import replay
from monitor.cli.report import report
from monitor.cli.schema import schema
from monitor.cli.score import score
from monitor.cli.serve import serve
from monitor.cli.simulate import simulate
from monitor.cli.subscribe import subscribe
from monitor.cli.typer_commands import print_error, usage_message
from monitor.cli.verify import verify
from monitor.errors import MonitorError

INTERRUPTED = 130

COMMANDS: Mapping[str, tuple[Callable[..., None], str]] = {
    "replay": (replay, "Watch a recorded call as if it were live."),
    "serve": (serve, "Watch many live calls at once, from the taps that are switched on."),
    "cluster": (cluster, "Show the shards of a running server, and change their number."),
    "simulate": (simulate, "Send a recorded call to a tap, as its real peer would."),
    "score": (score, "Score recordings, or folders of them: a line for each channel."),
    "calibrate": (calibrate, "Set the alert threshold from genuine calls of your own."),
    "subscribe": (subscribe, "Print the events of a running monitor."),
    "verify": (verify, "Check that a journal or evidence was not changed."),
    "report": (report, "Write a report on calls as one page, to read or print."),
    "devices": (devices, "List the inputs that --device takes: microphones, system audio."),
    "demo": (demo, "Watch a call whose voice turns synthetic half-way."),
    "doctor": (doctor, "Check this computer, and show how to fix each fault."),
    "schema": (schema, "Print the JSON Schema of the events."),
    "config": (show_config, "Show every setting and where its value comes from."),
}
"""The commands by name, in the order of the help, each with one line on what it does."""

app = typer.Typer(
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback(invoke_without_command=True, cls=CommandGroup)(live)
for _name, (_command, _line) in COMMANDS.items():
    app.command(name=_name, short_help=_line, cls=Command)(_command)
app.add_typer(keys, name="keys", short_help="Make keys that encrypt the stream, and choose who may read it.")


def run_cli(arguments: Sequence[str] | None = None) -> int:
    """Run a command (default: that of sys.argv). Returns the exit status; faults are two lines on standard error."""
    try:
        status = app(args=arguments, prog_name="monitor", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except MonitorError as error:
        return print_error(error.message, error.hint, error.exit_code)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f"see {context.command_path if context else 'monitor'} --help"
        return print_error(usage_message(error), hint, error.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # Whoever read standard output has enough. (Of a broken pipe typer makes SystemExit.)
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return print_error("the output cannot be written: no space left on the disk", "make room, and try again", 2)
    return status if isinstance(status, int) else 0


def main() -> NoReturn:
    """Run `monitor`, and end the process with its exit status."""
    status = run_cli()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, AttributeError):  # nobody reads it any more, or it was closed from the start
            stream.flush()
    # All threads have ended, all files are written: taking torch apart would only keep the user waiting for a second.
    os._exit(status)
