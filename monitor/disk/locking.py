"""One process at a time for a file."""

from __future__ import annotations

import sys

from monitor.errors import BadInputError


def lock(fd: int, what: str) -> None:
    """Lock a file until its descriptor is closed. Raises BadInputError where another process holds it."""
    if sys.platform == "win32":
        return
    from fcntl import LOCK_EX, LOCK_NB, flock

    try:
        flock(fd, LOCK_EX | LOCK_NB)
    except BlockingIOError as error:
        raise BadInputError(f"{what} is in use by another monitor", "name another file") from error
