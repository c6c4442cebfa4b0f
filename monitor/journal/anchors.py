"""Anchors: chain values of a journal that were kept elsewhere, and what they prove of it. Pure.

A chain value covers its line and all before it, so that a journal which holds an anchor is, up to there, the one that
was anchored (Haber and Stornetta, How to Time-Stamp a Digital Document, 1991).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

CODE = "journal anchor"
"""The code of health events that carry one; its data is in `anchor`."""

_BARE = re.compile(r"\s*([0-9a-f]{64})\s*")
_FIELD = re.compile(r"\b(?:anchor|chain)\b[\\\"'\s:=]{1,8}([0-9a-f]{64})\b")


def read_anchors(text: str) -> tuple[str, ...]:
    """Return the anchors of a text in their order, each once: lines that are one chain value, as `monitor verify`
    prints it, or that have one as `anchor` or `chain`, such as what a syslog or webhook receiver has written.
    """
    found: dict[str, None] = {}
    for line in text.splitlines():
        bare = _BARE.fullmatch(line)
        for match in (bare,) if bare else _FIELD.finditer(line):
            found[match[1]] = None
    return tuple(found)


@dataclass
class AnchorFindings:
    """given: how many anchors. found: how many of them the journal holds. behind: records after the newest of these.
    at: (epoch, seq) of that one. earlier: anchors before the first that is held.
    """

    given: int = 0
    found: int = 0
    behind: int = 0
    at: tuple[str, int] = ("", 0)
    earlier: int = 0


class AnchorCheck:
    """Feed it the chain values of a journal, in their order, then ask for fault()."""

    def __init__(self, anchors: Sequence[str]) -> None:
        self.findings = AnchorFindings(len(anchors))
        self._place = {anchor: n for n, anchor in enumerate(anchors)}
        self._held: list[int] = []

    def take(self, chain: str, at: tuple[str, int], *, record: bool) -> None:
        """Take a line. at: of the newest record up to it. record: it is one, and no seal."""
        place = self._place.get(chain)
        if place is None:
            self.findings.behind += record
            return
        self._held.append(place)
        self.findings.found, self.findings.behind, self.findings.at = len(set(self._held)), 0, at

    def fault(self, *, begins_later: bool) -> str:
        """Return what the anchors say against the journal. begins_later: older files of it are not here, so that the
        oldest anchors may be of those.
        """
        if not self._place:
            return ""
        if not self._held:
            return "rewritten or cut off: it holds none of the anchors (or they are of another journal)"
        self.findings.earlier = min(self._held)
        missing = sorted(set(self._place.values()) - set(self._held))
        missing = [n for n in missing if not begins_later or n > self.findings.earlier]
        if missing:
            lacks = f"it lacks {len(missing)} of {len(self._place)} anchors, the first of them number {missing[0] + 1}"
            return f"rewritten or cut off: {lacks}"
        return ""
