"""File descriptors of this process: how many there may be, and whether there is room for one more connection."""

from __future__ import annotations

import os
import time

WANTED = 65_536
"""The soft limit is raised so far, where the hard one allows it."""
LEAST_RESERVE, MOST_RESERVE = 32, 256
"""Descriptors that connections never get: journal, evidence, pages and libraries need some, too."""
RECOUNT_S = 0.2
FOLDERS = ("/proc/self/fd", "/dev/fd")


def raise_limit() -> int:
    """Raise the soft limit of this process as far as it may. Returns what it is then; 0 where that is unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return 0 if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # a system may allow less than its hard limit says
        return soft
    return most


def count_open() -> int:
    """Count descriptors that are open; 0 where that is unknown."""
    for folder in FOLDERS:
        try:
            return len(os.listdir(folder))
        except OSError:
            continue
    return 0


class Descriptors:
    """Counts the file descriptors of the process. Between two counts it adds what it granted."""

    def __init__(self) -> None:
        self._limit: int | None = None
        self._counted_at = float("-inf")
        self._used = 0

    def have_room(self) -> bool:
        """Return whether one more connection leaves the reserve untouched. Any thread may ask."""
        if self._limit is None:
            self._limit = raise_limit()
        now = time.monotonic()
        if now - self._counted_at > RECOUNT_S:
            self._counted_at, self._used = now, count_open()
        self._used += 1
        reserve = min(MOST_RESERVE, max(LEAST_RESERVE, self._limit // 10))
        return not self._limit or self._used <= self._limit - reserve


DESCRIPTORS = Descriptors()
