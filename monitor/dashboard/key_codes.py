"""Names for what a terminal sends for keys and for the mouse.

Arrows and the like are "CSI" and "SS3" sequences (ECMA-48; xterm's ctlseqs, "PC-Style Function Keys"), the mouse comes
in xterm's SGR form (1006): ESC [ < button ; column ; row M, or m on release.
"""

from __future__ import annotations

import re

MOUSE_ON, MOUSE_OFF = "\x1b[?1000h\x1b[?1006h", "\x1b[?1006l\x1b[?1000l"
"""Report presses of the mouse's buttons and its wheel, in the SGR form; and no longer."""

_FINAL = {"A": "up", "B": "down", "H": "home", "F": "end"}
_NUMBERED = {"1": "home", "4": "end", "5": "page up", "6": "page down", "7": "home", "8": "end"}
_PLAIN = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace", "\x1b": "escape"}
_WHEEL = {64: "up", 65: "down"}
_SEQUENCE = re.compile(
    r"\x1b\[<(?P<button>\d+);(?P<column>\d+);(?P<row>\d+)(?P<edge>[Mm])"
    r"|\x1b\[(?P<number>[0-9;?]*)(?P<final>[A-Za-z~])"
    r"|\x1bO(?P<single>[A-Za-z])"
    r"|\x1b[^\x1b\[O](?#with the Alt key: no key of ours)"
    r"|(?P<char>.)",
    re.DOTALL,
)
_UNFINISHED = re.compile(r"\x1b\[[<0-9;?]*\Z")
_LONGEST = 32
"""Characters of a sequence that may still be unfinished."""


class KeyCodes:
    """Takes what was read, piece by piece; a sequence may be cut anywhere but after its escape."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Return the keys: characters as typed, or up, down, home, end, page up, page down, enter, backspace, escape;
        of the mouse "click COLUMN ROW", both from 0, and its wheel as up and down.
        """
        data = self._rest + data
        whole = _whole(data)
        self._rest = data[whole:] if len(data) - whole <= _LONGEST else b""
        found = _SEQUENCE.finditer(data[:whole].decode("utf-8", "ignore"))
        return [key for match in found if (key := _named(match))]


def _whole(data: bytes) -> int:
    """Return the length of the data without what is unfinished at its end: a sequence, or a character of UTF-8."""
    if cut := _UNFINISHED.search(data[-_LONGEST:].decode("latin-1")):
        return len(data) - len(cut.group())
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if needed > back else len(data)
        if byte < 0x80:
            break
    return len(data)


def _named(match: re.Match[str]) -> str:
    """Return the name of a key, or "" for one without a meaning."""
    part = match.groupdict()
    if part["button"] is not None:
        button = int(part["button"])
        if button == 0 and part["edge"] == "M":
            return f"click {int(part['column']) - 1} {int(part['row']) - 1}"
        return _WHEEL.get(button, "")
    if part["final"] is not None:
        return _NUMBERED.get(part["number"], "") if part["final"] == "~" else _FINAL.get(part["final"], "")
    if part["single"] is not None:
        return _FINAL.get(part["single"], "")
    char = part["char"] or ""
    return _PLAIN.get(char, char if char.isprintable() else "")
