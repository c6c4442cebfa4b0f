"""Terminals for the tests of the screen."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

from rich.console import Console

WAIT_S = 10.0


def until(condition: Callable[[], bool]) -> bool:
    """Wait for it, with a bound."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


class Terminal(io.StringIO):
    """Takes what is written to a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def terminal(width: int = 100, height: int = 30, **options: object) -> tuple[Console, Terminal]:
    file = Terminal()
    options = {"color_system": "truecolor", "force_terminal": True, "_environ": {"TERM": "xterm"}} | options
    return Console(file=file, width=width, height=height, **options), file  # type: ignore[arg-type]
