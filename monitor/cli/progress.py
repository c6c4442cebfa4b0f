"""A line on standard error that says how far a long piece of work is; nothing where that is not a terminal."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from monitor.scores import FileScore

EVERY_S = 0.2
BAR = 24


class Progress:
    """files: what is to be done, to be counted in a thread of its own, since an archive takes a while."""

    def __init__(self, files: Iterable[Any]) -> None:
        self.shown = sys.stderr is not None and sys.stderr.isatty()
        self._total, self._done, self._skipped, self._audio_s = 0, 0, 0, 0.0
        self._begun, self._next = time.monotonic(), 0.0
        if self.shown:
            threading.Thread(target=self._count, args=(files,), daemon=True).start()

    def _count(self, files: Iterable[Any]) -> None:
        self._total = sum(1 for _ in files)

    def skip(self) -> None:
        """Count a file that was scored before."""
        self._skipped += 1

    def add(self, scored: FileScore) -> None:
        """Count a file that was scored."""
        self.count(max((channel.duration_s for channel in scored.channels), default=0.0))

    def count(self, audio_s: float) -> None:
        """Count a file of that length."""
        self._done += 1
        self._audio_s += audio_s

    def clear(self) -> None:
        """Take the line away, before something else is written."""
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    close = clear

    def draw(self) -> None:
        """Show the line, but not too often."""
        now = time.monotonic()
        if self.shown and now >= self._next:
            self._next = now + EVERY_S
            room = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{self.line(now - self._begun)[:room]}", end="", file=sys.stderr, flush=True)

    def line(self, elapsed_s: float) -> str:
        """Return the line to show after this long."""
        hours = self._audio_s / 3600
        parts = [
            f"{self._done + self._skipped} files",
            f"{hours:.1f} h of audio" if hours >= 1 else f"{hours * 60:.0f} min of audio",
        ]
        if elapsed_s > 1.0:
            parts.append(f"{self._audio_s / elapsed_s:.0f} x real time")
        if not self._total:
            return ", ".join(parts)
        share = min(1.0, (self._done + self._skipped) / self._total)
        parts[0] = f"{self._done + self._skipped} of {self._total} files"
        if self._done:
            left = (self._total - self._done - self._skipped) * elapsed_s / self._done
            parts.append(f"{left / 60:.0f} min left" if left > 90 else f"{left:.0f} s left")
        return f"[{'#' * round(share * BAR):-<{BAR}}] {', '.join(parts)}"
