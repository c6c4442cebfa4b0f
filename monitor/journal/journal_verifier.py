"""Finds the first record of a journal that was altered, left out or moved. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from monitor.journal import chain
from monitor.journal.anchors import AnchorCheck, AnchorFindings


@dataclass
class JournalFindings:
    """The findings so far. fault: "" while all is whole; line: where it is, from 1 within its file.

    notes: what is no fault, such as numbers that were never written. last: the newest chain value. seals: lines that
    seal with a key. ended: the newest line is the seal at the end of a run. anchors: what those say.
    """

    records: int = 0
    fault: str = ""
    line: int = 0
    last: str = ""
    seals: int = 0
    ended: bool = False
    anchors: AnchorFindings = field(default_factory=AnchorFindings)
    notes: list[str] = field(default_factory=list)


class JournalVerifier:
    """Feed it the files of a journal, the oldest first, then say end(). key: the secret of the seals, b"" = unknown.

    anchors: chain values that were kept elsewhere, the oldest first.
    """

    def __init__(self, key: bytes = b"", anchors: Sequence[str] = ()) -> None:
        self._anchors = AnchorCheck(anchors)
        self.found = JournalFindings(anchors=self._anchors.findings)
        self._key, self._begins_later = key, False
        self._at = ("", 0)

    def file(self, lines: Iterable[bytes]) -> bool:
        """Check the lines of one file, each with its end. Returns whether they are whole; stops at the first fault."""
        for number, raw in enumerate(lines, 1):
            self.found.fault = self._fault(raw, number == 1)
            if self.found.fault:
                self.found.line = number
                return False
            self.found.records += not self._is_seal(raw)
        return True

    def end(self) -> str:
        """Return, and note, what speaks against the end of the journal; "" without a key and anchors, which alone can
        tell.
        """
        if not self.found.fault:
            self.found.fault = self._anchors.fault(begins_later=self._begins_later)
        if not self._key or self.found.fault:
            return self.found.fault
        if not self.found.seals:
            self.found.fault = "not sealed: no line was made with this key (rewritten, or written without journal.key)"
        elif not self.found.ended:
            behind = f"{_name(self._at)} is not followed by the seal that ends a run"
            self.found.fault = f"cut off: {behind} (or the monitor was killed, or is running)"
        return self.found.fault

    @staticmethod
    def _is_seal(raw: bytes) -> bool:
        return raw.startswith(chain.SEALED)

    def _fault(self, raw: bytes, first: bool) -> str:
        if not raw.endswith(b"\n"):
            return "torn: the line has no end (a crash; the next start of the monitor repairs it)"
        line = chain.parse(raw[:-1])
        at = self._at if self._is_seal(raw) else chain.number(raw)
        if line is None or at is None:
            return "altered: no record of a journal, or one without its seal"
        if not chain.crc_holds(line):
            return f"altered: the checksum of {_name(at)} does not hold"
        before = self._before(line, first)
        if chain.link(before, line.links) != line.chain:
            return self._broken(at)
        if self._is_seal(raw):
            self.found.seals += 1
            if self._key and not chain.key_seal_holds(self._key, before, line.event):
                return f"rewritten: the seal after {_name(at)} was not made with this key for what stands before it"
        self.found.ended = chain.ends_run(line.event)
        self._note(at)
        self._at, self.found.last = at, line.chain
        self._anchors.take(line.chain, at, record=not self._is_seal(raw))
        return ""

    def _before(self, line: chain.JournalLine, first: bool) -> str:
        known = self.found.last
        if not first or not line.after:
            return known or chain.GENESIS
        if not known:
            self._begins_later = True
            self.found.notes.append("begins after an older file, which is not here")
        return known or line.after

    def _broken(self, at: tuple[str, int]) -> str:
        epoch, seq = self._at
        if at[0] == epoch and at[1] > seq + 1:
            return f"missing: seq {seq + 1} to {at[1] - 1} stood before {_name(at)}"
        if at[0] == epoch and at[1] <= seq:
            return f"reordered: {_name(at)} follows seq {seq}"
        behind = f"after {_name(self._at)}" if epoch else "at the beginning"
        return f"altered or missing: {_name(at)} does not follow from what stands before it, {behind}"

    def _note(self, at: tuple[str, int]) -> None:
        if at[0] == self._at[0] and at[1] > self._at[1] + 1:
            self.found.notes.append(
                f"seq {self._at[1] + 1} to {at[1] - 1} of {at[0]} were never written (the queue was full)"
            )


def _name(at: tuple[str, int]) -> str:
    return f"seq {at[1]} of {at[0]}"
