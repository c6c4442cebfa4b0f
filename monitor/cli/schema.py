"""`monitor schema`: what events look like."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="Type of event, such as alert.opened (default: all of them).")
    ] = None,
) -> None:
    """Print the JSON Schema of a type of event: its fields, with units and ranges.

    Without a type: one JSON object of all schemas, by name; cloudevent is that of the envelope.
    """
    from monitor.events.schema.schema_files import NAMES, read, text_of

    if name:
        print(text_of(name), end="")
    else:
        print(json.dumps({each: read(each) for each in NAMES}, indent=2, ensure_ascii=False))
