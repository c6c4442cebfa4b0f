"""Alerts at Prometheus Alertmanager (API v2, POST /api/v2/alerts): announced while they are open, resolved on close.

Alertmanager takes an alert that it has not heard of for a while (bodies.ALERT_STAYS) for resolved, so that one of a
monitor that died ends by itself.
"""

from __future__ import annotations

import json
import time
from typing import Any

from monitor.config.outlets import AlertmanagerSection
from monitor.errors import SinkError
from monitor.events import wire
from monitor.events.cloudevents import JSON
from monitor.events.sink import Sink
from monitor.sinks.bodies import prometheus_alert
from monitor.sinks.webhook import WebhookSender
from monitor.types import Event

PATH = "/api/v2/alerts"


class AlertmanagerSink(Sink):
    """Knows the open alerts, and announces them all every resend_s."""

    name = "alertmanager"

    def __init__(self, section: AlertmanagerSection, source: str) -> None:
        """source: a label of every alert. Raises BadInputError for a file or a secret that cannot be read."""
        self._sender = WebhookSender(section, section.address.rstrip("/") + PATH)
        self._source, self._resend_s = source, section.resend_s
        self._open: dict[str, tuple[str, Event]] = {}
        """Open alerts by id: since when, and the newest event."""
        self._next = time.monotonic() + self._resend_s

    def wants(self, event: Event) -> bool:
        """Return whether the event is of an alert."""
        return wire.kind(event) == "alert"

    def emit(self, event: Event) -> None:
        """Announce it. Raises SinkError, final where Alertmanager refuses it for good."""
        key, over = str(event.data["alert"]), event.type == "alert.closed"
        started = self._open.get(key, (wire.alert_started(event), event))[0]
        self._open[key] = (started, event)
        try:
            self._post([prometheus_alert(event, self._source, started, event.time)])
        except SinkError as error:
            if over and error.final:
                del self._open[key]
            raise
        if over:
            del self._open[key]

    def tick(self) -> None:
        """Announce what is open, when that is due. Raises SinkError."""
        if time.monotonic() < self._next:
            return
        still = [(started, event) for started, event in self._open.values() if event.type != "alert.closed"]
        if still:
            now = wire.utc_now()
            self._post([prometheus_alert(event, self._source, started, now) for started, event in still])
        self._next = time.monotonic() + self._resend_s

    def tick_in_s(self) -> float:
        """Return the time until what is open is announced again."""
        return self._next - time.monotonic()

    def close(self) -> None:
        """Let the connection go."""
        self._sender.close()

    def _post(self, alerts: list[dict[str, Any]]) -> None:
        self._sender.post({"Content-Type": JSON}, json.dumps(alerts).encode("ascii"))
