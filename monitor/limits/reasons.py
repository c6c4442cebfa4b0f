"""Counts what a tap refused or could not read, by constant reasons; values that peers choose stand apart, bounded.

A reason that held a value of a peer would be a new one each time, until no room is left for the reason that matters.
"""

from __future__ import annotations

from collections import Counter

MOST = 50
"""Reasons of one tap; what comes beyond them is counted as OTHER."""
OTHER = "for other reasons"
MOST_VALUES, LONGEST_VALUE = 5, 40


class Reasons(Counter[str]):
    """counts[reason] += 1, or note() where a value of the peer says more."""

    def __init__(self) -> None:
        super().__init__()
        self._values: dict[str, list[str]] = {}
        self._unnamed: Counter[str] = Counter()

    def __setitem__(self, reason: str, count: int) -> None:
        if reason not in self and len(self) >= MOST and reason != OTHER:
            super().__setitem__(OTHER, self.get(OTHER, 0) + 1)
            return
        super().__setitem__(reason, count)

    def note(self, reason: str, value: object) -> None:
        """Count a reason, and remember a value of the peer that belongs to it: printable, cut, and only a few."""
        self[reason] += 1
        text = "".join(char if char.isprintable() else "?" for char in str(value)[:LONGEST_VALUE])
        values = self._values.setdefault(reason, []) if reason in self else []
        if text in values:
            return
        if len(values) < MOST_VALUES:
            values.append(text)
        else:
            self._unnamed[reason] += 1

    def words(self, reason: str) -> str:
        """Return the reason with the values seen: "a payload type ... (96, 97; 3 more not named)"."""
        values = self._values.get(reason)
        if not values:
            return reason
        more = f"; {self._unnamed[reason]} more not named" if self._unnamed[reason] else ""
        return f"{reason} ({', '.join(values)}{more})"
