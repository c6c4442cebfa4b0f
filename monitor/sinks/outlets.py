"""Makes the outlets that the configuration turns on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from monitor.config.schema import Config
from monitor.events.sink import Sink


def _webhook(config: Config, epoch: str) -> list[Sink]:  # noqa: ARG001
    section = config.webhook
    if not section.url:
        return []
    from monitor.sinks.event_spool import EventSpool, SpooledSink, SpoolSink
    from monitor.sinks.webhook import WebhookSink

    sink = WebhookSink(section, config.publish.source)
    if not section.spool:
        return [sink]
    spool = EventSpool(Path(section.spool))
    return [SpooledSink(sink, spool), SpoolSink(sink, spool)]


def _alertmanager(config: Config, epoch: str) -> list[Sink]:  # noqa: ARG001
    if not config.alertmanager.url:
        return []
    from monitor.sinks.alertmanager import AlertmanagerSink

    return [AlertmanagerSink(config.alertmanager, config.publish.source)]


def _syslog(config: Config, epoch: str) -> list[Sink]:  # noqa: ARG001
    if not config.syslog.address:
        return []
    from monitor.sinks.syslog import SyslogSink

    return [SyslogSink(config.syslog)]


def _mqtt(config: Config, epoch: str) -> list[Sink]:  # noqa: ARG001
    if not config.mqtt.address:
        return []
    from monitor.sinks.mqtt import MqttSink

    return [MqttSink(config.mqtt, config.publish.source)]


def _metrics(config: Config, epoch: str) -> list[Sink]:  # noqa: ARG001
    if not config.metrics.listen:
        return []
    from monitor.sinks.metrics import MetricsSink

    return [MetricsSink(config.metrics.listen, insecure=config.serve.insecure)]


def _desktop(config: Config, epoch: str) -> list[Sink]:  # noqa: ARG001
    if not config.desktop.enabled:
        return []
    from monitor.sinks.desktop import DesktopSink

    return [DesktopSink(config.desktop.least_interval_s)]


OUTLETS: dict[str, Callable[[Config, str], list[Sink]]] = {
    "webhook": _webhook,
    "alertmanager": _alertmanager,
    "syslog": _syslog,
    "mqtt": _mqtt,
    "metrics": _metrics,
    "desktop": _desktop,
}
"""Outlets by name: each makes the sinks of an outlet, none where it is off. Raises BadInputError for unusable settings.
"""
