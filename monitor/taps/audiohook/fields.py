"""Structured fields for HTTP as signatures use them: dictionaries of items and inner lists (RFC 8941).

Decimals are left out: no signature has one.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

LONGEST = 8192
"""Characters of a field."""

_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_BYTES = re.compile(r":([A-Za-z0-9+/]*)={0,2}:")
_BOOLEAN = re.compile(r"\?([01])")
_TOKEN = re.compile(r"[A-Za-z*][\w!#$%&'*+\-.^`|~:/]*", re.ASCII)
_SPACES = re.compile(r" *")
_COMMA = re.compile(r"[ \t]*,[ \t]*")


class FieldError(ValueError):
    """A field that cannot be read; the text says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word without quotes."""

    text: str


Bare = str | int | bool | bytes | Token
Parameters = tuple[tuple[str, Bare], ...]
"""Parameters in their order; of one that comes twice the last counts, in the place of the first."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value and its parameters."""

    value: Bare
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class InnerList:
    """Items in parentheses, and the parameters of the list."""

    items: tuple[Item, ...]
    parameters: Parameters = ()


def parse_dictionary(text: str) -> dict[str, Item | InnerList]:
    """Return the members of a dictionary by their keys. Raises FieldError, and nothing else."""
    if len(text) > LONGEST:
        raise FieldError(f"longer than {LONGEST} characters")
    reader = _Reader(text.strip(" \t"))
    members: dict[str, Item | InnerList] = {}
    while not reader.ended or members:
        key = reader.key()
        members[key] = reader.member() if reader.skip("=") else Item(True, reader.parameters())
        if reader.ended:
            break
        reader.take(_COMMA, "a comma")
    return members


def serialize(member: Item | InnerList) -> str:
    """Serialize a member in the form that is signed (RFC 8941, section 4.1)."""
    if isinstance(member, Item):
        return _bare(member.value) + _parameters(member.parameters)
    return f"({' '.join(serialize(item) for item in member.items)}){_parameters(member.parameters)}"


def _parameters(parameters: Parameters) -> str:
    return "".join(f";{key}" if value is True else f";{key}={_bare(value)}" for key, value in parameters)


def _bare(value: Bare) -> str:
    if isinstance(value, bool):
        return f"?{value:d}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f":{base64.b64encode(value).decode()}:"
    if isinstance(value, Token):
        return value.text
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Reader:
    """Goes through a text from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    @property
    def ended(self) -> bool:
        return self._at == len(self._text)

    def skip(self, char: str) -> bool:
        """Return whether that character comes next, which is then behind."""
        found = self._text.startswith(char, self._at)
        self._at += found
        return found

    def take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Consume and return a match of the pattern. Raises FieldError where the text does not match."""
        found = pattern.match(self._text, self._at)
        if found is None:
            raise FieldError(f"{what} is missing")
        self._at = found.end()
        return found

    def key(self) -> str:
        return self.take(_KEY, "a key")[0]

    def member(self) -> Item | InnerList:
        return self._inner_list() if self.skip("(") else self.item()

    def item(self) -> Item:
        return Item(self._bare(), self.parameters())

    def parameters(self) -> Parameters:
        found: dict[str, Bare] = {}
        while self.skip(";"):
            self.take(_SPACES, "")
            key = self.key()
            found[key] = self._bare() if self.skip("=") else True
        return tuple(found.items())

    def _inner_list(self) -> InnerList:
        items: list[Item] = []
        while True:
            spaces = self.take(_SPACES, "")[0]
            if self.skip(")"):
                return InnerList(tuple(items), self.parameters())
            if items and not spaces:
                raise FieldError("a space is missing")
            items.append(self.item())

    def _bare(self) -> Bare:
        first = self._text[self._at : self._at + 1]
        if first == '"':
            return re.sub(r"\\(.)", r"\1", self.take(_STRING, "a string")[1])
        if first == ":":
            return _decoded(self.take(_BYTES, "a byte sequence")[1])
        if first == "?":
            return self.take(_BOOLEAN, "a boolean")[1] == "1"
        if first == "-" or first.isdecimal():
            return int(self.take(_INTEGER, "an integer")[0])
        return Token(self.take(_TOKEN, "a value")[0])


def _decoded(text: str) -> bytes:
    """Decode base64 without its padding."""
    if len(text) % 4 == 1:
        raise FieldError("a byte sequence is not base64")
    return base64.b64decode(text + "=" * (-len(text) % 4))
