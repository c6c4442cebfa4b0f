"""JSON of anybody: every fault of it is one kind of error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

DEEPEST = 32
"""Objects and lists within each other; no protocol here needs more than six."""


def read_json(text: str | bytes, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """Return the value of a text. Raises ValueError for what is not JSON, or is nested deeper than DEEPEST."""
    try:
        value = json.loads(text, parse_constant=parse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if _is_deeper(value, DEEPEST):
        raise ValueError("nested too deeply")
    return value


def _is_deeper(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner += (x for x in item.values() if isinstance(x, dict | list))
            elif isinstance(item, list):
                inner += (x for x in item if isinstance(x, dict | list))
        if not inner:
            return False
        level = inner
    return True
