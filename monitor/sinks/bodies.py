"""Headers and body of the webhook request for an event, the same bytes at every retry. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.events import cloudevents, wire
from monitor.sinks.ocsf import finding
from monitor.types import Event

Body = tuple[Mapping[str, str], bytes]
ALERT_STAYS = timedelta(minutes=5)
"""An alert that is not announced again for so long is over, to a receiver of Alertmanager's format."""


@dataclass(frozen=True)
class BodyFormat:
    """write(event, source) makes the body. alerts_only: it has no words for other events."""

    write: Callable[[Event, str], Body]
    alerts_only: bool


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _structured(event: Event, source: str) -> Body:
    return {"Content-Type": cloudevents.STRUCTURED}, cloudevents.structured(event, source)


def _ocsf(event: Event, _source: str) -> Body:
    return {"Content-Type": cloudevents.JSON}, _json(finding(event))


def _alertmanager(event: Event, source: str) -> Body:
    started = wire.alert_started(event)
    return {"Content-Type": cloudevents.JSON}, _json([prometheus_alert(event, source, started, event.time)])


def prometheus_alert(event: Event, source: str, started: str, now: str) -> dict[str, object]:
    """Return an alert as Alertmanager's API v2 takes it. started: of the alert; both times as ISO 8601.

    Its labels, which tell alerts apart, are the same from opened to closed. Both times are always there: Alertmanager
    takes endsAt for a startsAt that is missing.
    """
    data = event.data
    later = (datetime.fromisoformat(now) + ALERT_STAYS).isoformat().replace("+00:00", "Z")
    return {
        "labels": {
            "alertname": "SyntheticSpeech",
            "severity": "critical",
            "call": event.call,
            "channel": event.channel,
            "alert": str(data["alert"]),
            "run": event.epoch,
            "source": source,
        },
        "annotations": {
            "summary": f"Synthetic speech on {event.call}, channel {event.channel}",
            "description": f"{data['why']}; p_fake {data['p_fake']}, llr {data['llr']} nats, {data['duration_s']} s",
        },
        "startsAt": started,
        "endsAt": now if event.type == "alert.closed" else later,
    }


FORMATS = {
    "cloudevents": BodyFormat(_structured, alerts_only=False),
    "cloudevents-binary": BodyFormat(cloudevents.binary, alerts_only=False),
    "ocsf": BodyFormat(_ocsf, alerts_only=True),
    "alertmanager": BodyFormat(_alertmanager, alerts_only=True),
}


def dead_letter(event: Event, reason: str) -> bytes:
    """Return a line for the file of events that were given up."""
    head = json.dumps({"reason": reason, "id": cloudevents.event_id(event)}, separators=(",", ":"))
    return head[:-1].encode() + b',"event":' + wire.encode(event) + b"}\n"
