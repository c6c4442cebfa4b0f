"""Names and ids that peers choose, made safe to show."""

from __future__ import annotations

LONGEST_NAME = 128
"""Characters of a name or an id that is taken from a peer."""


def named(text: object, otherwise: str = "") -> str:
    """Return a name or an id from a peer, safe to show: printable, not too long. Numbers are taken, too."""
    if isinstance(text, bool) or not isinstance(text, str | int):
        return otherwise
    try:
        whole = str(text)
    except ValueError:  # an integer of thousands of digits
        return otherwise
    cut = whole[:LONGEST_NAME]
    return "".join(char if char.isprintable() else "?" for char in cut) or otherwise
