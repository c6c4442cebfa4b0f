"""Events in the envelope of CloudEvents 1.0 (github.com/cloudevents/spec), so that a router needs to know no more.

data is the event as it stands everywhere else (docs/alerts.md). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from monitor.events import wire
from monitor.events.schema.schema_files import SOURCE, schema_id
from monitor.types import Event

PREFIX = "deepfake-speech-monitor."
STRUCTURED = "application/cloudevents+json; charset=utf-8"
JSON = "application/json"
SEQUENCE_DIGITS = 20
_HEADER_SAFE = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""HTTP binding, 3.1.3.2: all that is printable in ASCII but space, double quote and percent stands for itself."""


def event_id(event: Event) -> str:
    """Return an id that is unique within the source, and the same whenever the event is sent again: `epoch-seq`.

    Outside the numbering (seq 0) the time of its publication takes the place of a number of its own.
    """
    return f"{event.epoch}-{event.seq}" if event.seq else f"{event.epoch}-0-{event.time}"


def attributes(event: Event, source: str = SOURCE) -> dict[str, str]:
    """Return the context attributes, in the order of the specification; sequence and partitionkey are its
    extensions."""
    out = {
        "specversion": "1.0",
        "id": event_id(event),
        "source": source,
        "type": PREFIX + event.type,
        "subject": "/".join(name for name in (event.call, event.channel) if name),
        "time": event.time,
        "datacontenttype": JSON,
        "dataschema": schema_id(event.type),
        "sequence": f"{event.seq:0{SEQUENCE_DIGITS}}" if event.seq else "",
        "partitionkey": event.call,
    }
    return {name: value for name, value in out.items() if value}


def structured(event: Event, source: str = SOURCE, raw: bytes | None = None) -> bytes:
    """Return one JSON object with everything in it. raw: the event's own JSON where it is there already."""
    head = json.dumps(attributes(event, source), ensure_ascii=False, separators=(",", ":"))
    return head[:-1].encode("utf-8", "backslashreplace") + b',"data":' + (raw or wire.encode(event)) + b"}"


def binary(event: Event, source: str = SOURCE) -> tuple[Mapping[str, str], bytes]:
    """Return the attributes as HTTP headers, and the event alone as the body."""
    named = attributes(event, source)
    headers = {"Content-Type": named.pop("datacontenttype")}
    for name, value in named.items():
        headers[f"ce-{name}"] = quote(value, safe=_HEADER_SAFE, encoding="utf-8", errors="backslashreplace")
    return headers, wire.encode(event)
