"""`monitor schema`: what events look like."""

from __future__ import annotations

import json

from monitor.events.schema.files import NAMES, read, text_of


def show(name: str | None) -> None:
    """Print one schema as it ships, or all of them by name. Raises BadInputError for a name that is none."""
    if name:
        print(text_of(name), end="")
    else:
        print(json.dumps({each: read(each) for each in NAMES}, indent=2, ensure_ascii=False))
