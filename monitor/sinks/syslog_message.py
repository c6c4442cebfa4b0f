"""Events as syslog messages (RFC 5424), and how a stream holds them apart (RFC 6587, 3.4.1). Pure."""

from __future__ import annotations

import json

from monitor.events import wire
from monitor.events.cloudevents import event_id
from monitor.sinks.selection import is_fault
from monitor.types import Event

APP = "deepfake-speech-monitor"
ALERT, WARNING, NOTICE, INFORMATIONAL, DEBUG = 1, 4, 5, 6, 7
SEVERITIES = {
    "alert.opened": ALERT,
    "alert.updated": NOTICE,
    "alert.closed": NOTICE,
    "state.changed": INFORMATIONAL,
    "call.started": INFORMATIONAL,
    "call.ended": INFORMATIONAL,
    "call.marked": INFORMATIONAL,
    "score": DEBUG,
}
SHOWN = ("alert", "state", "p_fake", "llr", "net_speech_s", "code", "detail", "why", "anchor")
"""The fields of an event that are structured data; the message has everything."""


def message(event: Event, host: str, facility: int, enterprise_id: int) -> bytes:
    """Return one message: header, structured data, and the event as JSON in ASCII.

    host: name of this machine. facility: 0 to 23. Nothing in an event can end the message or forge another: in the
    structured data what RFC 5424 names is escaped and controls are left out, and JSON has them escaped.
    """
    severity = SEVERITIES.get(event.type, WARNING if is_fault(event) else INFORMATIONAL)
    head = f"<{facility * 8 + severity}>1 {event.time} {_printable(host, 255)} {APP} - {event.type}"
    fields = {"id": event_id(event), "call": event.call, "channel": event.channel}
    if wire.kind(event) == "alert":
        fields["started"] = wire.alert_started(event)
    fields |= {name: str(event.data[name]) for name in SHOWN if name in event.data}
    data = " ".join(f'{name}="{_escaped(value)}"' for name, value in fields.items() if value)
    structured = f"[event@{enterprise_id} {data}]"
    body = json.dumps(json.loads(wire.encode(event)), separators=(",", ":"))
    return f"{head} {structured} {body}".encode("utf-8", "backslashreplace")


def frame(found: bytes) -> bytes:
    """Put the length before a message (octet counting, RFC 6587)."""
    return b"%d %s" % (len(found), found)


def _escaped(value: str) -> str:
    """PARAM-VALUE of RFC 5424, 6.3.3: quote, backslash and closing bracket take a backslash."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in value)
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _printable(text: str, most: int) -> str:
    """PRINTUSASCII of RFC 5424, or - for nothing."""
    return "".join(letter if "!" <= letter <= "~" else "_" for letter in text)[:most] or "-"
