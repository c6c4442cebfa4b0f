"""How work that takes long says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Log = Callable[[str], None]
"""Called with a line of text."""
Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much."""


def log_progress(log: Log, what: str, every: int = 1) -> Progress:
    """Return a Progress that logs each time that so many more are done, and at the end."""

    def progress(done: int, total: int) -> None:
        if done % every == 0 or done == total:
            log(f"{what}: {done} of {total}")

    return progress
