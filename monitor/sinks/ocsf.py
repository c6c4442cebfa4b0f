"""Alerts as OCSF Detection Findings (schema.ocsf.io, class 2004), for lakes and SIEMs that speak it. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache

from monitor.events import wire
from monitor.events.cloudevents import event_id
from monitor.types import Event

VERSION = "1.4.0"
"""The version of the schema; is_alert is new in it."""
CATEGORY, CLASS = 2, 2004
ACTIVITIES = {"alert.opened": (1, "Create"), "alert.updated": (2, "Update"), "alert.closed": (3, "Close")}
STATUSES = {"alert.opened": (1, "New"), "alert.updated": (2, "In Progress"), "alert.closed": (4, "Resolved")}
HIGH, INFORMATIONAL = (4, "High"), (1, "Informational")
LEARNING = (4, "Learning (ML/DL)")
PRODUCT = "deepfake-speech-monitor"


@cache
def installed_version() -> str:
    """Return the version of this program."""
    from importlib.metadata import version

    return version(PRODUCT)


def milliseconds(time: str) -> int:
    """Return an ISO 8601 time as milliseconds since 1970."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def finding(event: Event) -> dict[str, object]:
    """Return the finding of an alert event."""
    data = event.data
    activity_id, activity = ACTIVITIES[event.type]
    status_id, status = STATUSES[event.type]
    severity_id, severity = INFORMATIONAL if activity_id == 3 else HIGH
    p_fake = float(str(data["p_fake"]))
    return {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity_id,
        "type_name": f"Detection Finding: {activity}",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "time": milliseconds(event.time),
        "start_time": milliseconds(wire.alert_started(event)),
        "end_time": milliseconds(event.time),
        "message": f"{event.call}/{event.channel}: {data['why']}",
        "is_alert": activity_id != 3,
        "confidence_score": round(100 * p_fake),
        "finding_info": _info(event),
        "metadata": _metadata(event),
        "resources": [{"name": event.channel, "uid": f"{event.call}/{event.channel}", "type": "call channel"}],
        "unmapped": json.loads(wire.encode(event)),
    }


def _info(event: Event) -> dict[str, object]:
    type_id, kind = LEARNING
    return {
        "uid": f"{event.epoch}/{event.data['alert']}",
        "title": "Synthetic speech on a call",
        "desc": str(event.data["why"]),
        "created_time": milliseconds(wire.alert_started(event)),
        "modified_time": milliseconds(event.time),
        "types": ["Synthetic speech"],
        "analytic": {"name": PRODUCT, "uid": str(event.data["model"]), "type_id": type_id, "type": kind},
    }


def _metadata(event: Event) -> dict[str, object]:
    return {
        "version": VERSION,
        "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": installed_version()},
        "uid": event_id(event),
        "sequence": event.seq,
        "original_time": event.time,
    }
