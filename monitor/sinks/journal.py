"""The journal: every numbered event as a sealed line of JSON, in files that are whole lines at any moment.

Nothing is buffered in the process, so that a crash of the program loses nothing that was emitted; what a power cut may
take is the `fsync` policy's matter. monitor/journal/chain.py says what a line is.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.errors import BadInputError, SinkError
from monitor.events import wire
from monitor.events.sink import Sink
from monitor.journal import anchors, chain, journal_files
from monitor.sinks.journal_file import last_line, open_journal, sync_folder
from monitor.types import Event

if TYPE_CHECKING:
    from monitor.config.schema import JournalSection

SEAL_S = 60.0
"""Between two seals with a key while events come: what a kill leaves without one is shorter than that."""
SHORTEST_KEY = 16
CHECK_S = 1.0
"""Between two looks at whether the file is still the one at its path (logrotate moves it away)."""
MIB = 1 << 20
HOUR_S = 3600.0


class JournalSink(Sink):
    """Appends to `path`."""

    name = "journal"
    write_ahead = True

    def __init__(self, path: Path | str, section: JournalSection | None = None) -> None:
        """section: fsync, rotation and retention; default: none of them.

        Raises BadInputError when the file cannot be written, is not a regular file or has another writer.
        """
        self.path = Path(path)
        self._fsync = section.fsync if section else "never"
        self._rotate_bytes = (section.rotate_mib if section else 0) * MIB
        self._rotate_s = (section.rotate_hours if section else 0) * HOUR_S
        self._keep_bytes = (section.keep_mib if section else 0) * MIB
        self._keep_s = (section.keep_days if section else 0) * 24 * HOUR_S
        self._key = _key(section)
        self._fd, self._repaired = open_journal(self.path)
        self._unsealed, self._sealed_at = False, time.monotonic()
        self._anchor_s = section.anchor_s if section else 0.0
        self._anchor_due, self._anchored = time.monotonic() + self._anchor_s, ""
        self._chain = self._last_chain()
        self._written = ("", 0)
        # After a restart: when it was last written, which is all that a file system knows of a file's age.
        self._began = os.fstat(self._fd).st_mtime
        self._torn = 0
        self._moved = False
        self._next_check = 0.0

    def warning(self) -> str:
        """Return the last line that a crash cut off, where one was moved aside when the file was opened."""
        return self._repaired

    def emit(self, event: Event) -> None:
        """Append one line; an event without a number (seq 0) is not a part of a journal.

        Raises SinkError when the line could not be written whole, of which nothing is then left in the file, or when
        it could not be made durable as `fsync` wants; offered again, it is not written twice.
        """
        if not event.seq:
            return
        try:
            if self._written != (event.epoch, event.seq):
                self._prepare()
                self._append(event)
            if self._fsync == "always" or (self._fsync == "alerts" and wire.kind(event) == "alert"):
                os.fsync(self._fd)
        except BadInputError as error:
            raise SinkError(error.message, error.hint) from error
        except OSError as error:
            raise SinkError(f"{self.path}: {error.strerror}") from error

    def tick(self) -> None:
        """Notice within CHECK_S that the file was moved or deleted; the next event then starts a new one."""
        now = time.monotonic()
        if now < self._next_check:
            return
        self._next_check = now + CHECK_S
        try:
            here = os.stat(self.path)
        except OSError:
            self._moved = True
        else:
            self._moved = not os.path.samestat(here, os.fstat(self._fd))
        try:
            if now - self._sealed_at >= SEAL_S:
                self._seal(ended=False)
            self._prune()
        except OSError as error:
            raise SinkError(f"{self.path}: cannot delete what is too old: {error.strerror}") from error

    def tick_in_s(self) -> float:
        """Return the time until the file is looked at again."""
        return self._next_check - time.monotonic()

    def announcement(self) -> Mapping[str, object] | None:
        """Return the newest chain value as a health event's data, each anchor_s and at the end, where it is new."""
        now = time.monotonic()
        is_due = now >= self._anchor_due or self._fd < 0
        if not self._anchor_s or not is_due or not self._written[1] or self._chain == self._anchored:
            return None
        self._anchor_due, self._anchored = now + self._anchor_s, self._chain
        epoch, seq = self._written
        detail = f"{self.path.name}: chain {self._chain} after seq {seq} of {epoch}"
        return {"code": anchors.CODE, "detail": detail, "usable": True, "anchor": self._chain, "last_seq": seq}

    def close(self) -> None:
        """Seal the end of the run, where there is a key, and release the file. May be called twice."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._seal(ended=True)
            os.close(self._fd)
            self._fd = -1

    def _prepare(self) -> None:
        if self._torn:
            self._cut_back()
        if self._moved:
            self._reopen()
        elif self._is_due():
            if self._fsync != "never":
                os.fsync(self._fd)
            os.rename(self.path, journal_files.next_name(self.path))
            self._moved = True
            self._reopen()

    def _reopen(self) -> None:
        fd, _ = open_journal(self.path)
        os.close(self._fd)
        self._fd, self._moved, self._began = fd, False, time.time()
        if self._fsync != "never":
            sync_folder(self.path.parent)

    def _is_due(self) -> bool:
        """Return whether the file is to be rotated: it is not empty, and too large or its first event too old."""
        if not self._rotate_bytes and not self._rotate_s:
            return False
        status = os.fstat(self._fd)
        if not status.st_size:
            self._began = time.time()
            return False
        too_large = self._rotate_bytes and status.st_size >= self._rotate_bytes
        return bool(too_large or (self._rotate_s and time.time() - self._began >= self._rotate_s))

    def _prune(self) -> None:
        """Delete the oldest files beyond keep_mib and keep_days; never the one being written."""
        if not self._keep_bytes and not self._keep_s:
            return
        rotated = [(path, path.stat()) for path in journal_files.rotated_files(self.path)]
        total = os.fstat(self._fd).st_size + sum(status.st_size for _, status in rotated)
        for path, status in rotated:
            too_much = self._keep_bytes and total > self._keep_bytes
            too_old = self._keep_s and time.time() - status.st_mtime > self._keep_s
            if not too_much and not too_old:
                return
            path.unlink(missing_ok=True)
            total -= status.st_size

    def _append(self, event: Event) -> None:
        self._append_line(wire.encode(event))
        self._written, self._unsealed = (event.epoch, event.seq), True

    def _seal(self, *, ended: bool) -> None:
        """Seal what was written, where there is a key; once for the same lines, but for the end of a run."""
        self._sealed_at = time.monotonic()
        if not self._key or not self._written[1] or not (self._unsealed or ended):
            return
        if self._torn:
            self._cut_back()
        self._append_line(chain.key_seal(self._key, self._chain, *self._written, ended))
        self._unsealed = False

    def _append_line(self, event: bytes) -> None:
        empty = not os.fstat(self._fd).st_size
        after = self._chain if empty and self._chain != chain.GENESIS else ""
        line, value = chain.seal(event, self._chain, after)
        self._write(line + b"\n")
        self._chain = value

    def _write(self, line: bytes) -> None:
        try:
            while self._torn < len(line):
                self._torn += os.write(self._fd, line[self._torn :])
        except OSError:
            if self._torn:
                self._cut_back()
            raise
        self._torn = 0

    def _cut_back(self) -> None:
        """Remove the beginning of a line whose end did not fit. This process is the file's only writer."""
        os.ftruncate(self._fd, max(0, os.fstat(self._fd).st_size - self._torn))
        self._torn = 0

    def _last_chain(self) -> str:
        """Return the chain value from which to go on: that of the newest line there is."""
        if last := chain.parse(last_line(self._fd)):
            return last.chain
        for path in reversed(journal_files.rotated_files(self.path)):
            fd = os.open(path, os.O_RDONLY)
            try:
                if last := chain.parse(last_line(fd)):
                    return last.chain
            finally:
                os.close(fd)
        return chain.GENESIS


def _key(section: JournalSection | None) -> bytes:
    """Return the secret of the seals, b"" where there is none. Raises BadInputError for one that is too short."""
    key = section.key.reveal().encode() if section else b""
    if key and len(key) < SHORTEST_KEY:
        raise BadInputError(f"journal.key has {len(key)} bytes, {SHORTEST_KEY} are the least", "take a longer secret")
    return key
