"""Entry point of `monitor`: the only place that prints errors and exits."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from monitor.cli import app
from monitor.errors import MonitorError

INTERRUPTED = 130


def run_cli(arguments: Sequence[str] | None = None) -> int:
    """Run a command (default: that of sys.argv). Returns the exit status; faults are two lines on standard error."""
    try:
        status = app(args=arguments, prog_name="monitor", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except MonitorError as error:
        return _explain(error.message, error.hint, error.exit_code)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f"see {context.command_path if context else 'monitor'} --help"
        message = error.format_message()
        return _explain(message[:1].lower() + message[1:], hint, error.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # Whoever read standard output has enough. (Of a broken pipe typer makes SystemExit.)
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _explain("the output cannot be written: no space left on the disk", "make room, and try again", 2)
    return status if isinstance(status, int) else 0


def _explain(message: str, hint: str, status: int) -> int:
    print(f"error: {' '.join(message.split())}", *([f"  {hint}"] if hint else []), sep="\n", file=sys.stderr)
    return status


def main() -> NoReturn:
    """Entry point of `monitor`."""
    status = run_cli()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, AttributeError):  # nobody reads it any more, or it was closed from the start
            stream.flush()
    # All threads have ended, all files are written: taking torch apart would only keep the user waiting for a second.
    os._exit(status)
