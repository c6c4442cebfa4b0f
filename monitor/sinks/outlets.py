"""Makes the outlets that the configuration turns on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from monitor.config.schema import Config
from monitor.events.sink import Sink


def _webhook(config: Config, epoch: str) -> Sink | None:  # noqa: ARG001
    section = config.webhook
    if not section.url:
        return None
    from monitor.sinks.spool import SpooledSink
    from monitor.sinks.webhook import WebhookSink

    sink = WebhookSink(section, config.publish.source)
    return SpooledSink(sink, Path(section.spool)) if section.spool else sink


def _alertmanager(config: Config, epoch: str) -> Sink | None:  # noqa: ARG001
    if not config.alertmanager.url:
        return None
    from monitor.sinks.alertmanager import AlertmanagerSink

    return AlertmanagerSink(config.alertmanager, config.publish.source)


def _syslog(config: Config, epoch: str) -> Sink | None:  # noqa: ARG001
    if not config.syslog.address:
        return None
    from monitor.sinks.syslog import SyslogSink

    return SyslogSink(config.syslog)


def _mqtt(config: Config, epoch: str) -> Sink | None:  # noqa: ARG001
    if not config.mqtt.address:
        return None
    from monitor.sinks.mqtt import MqttSink

    return MqttSink(config.mqtt, config.publish.source)


def _metrics(config: Config, epoch: str) -> Sink | None:  # noqa: ARG001
    if not config.metrics.listen:
        return None
    from monitor.sinks.metrics import MetricsSink

    return MetricsSink(config.metrics.listen, insecure=config.serve.insecure)


def _desktop(config: Config, epoch: str) -> Sink | None:  # noqa: ARG001
    if not config.desktop.enabled:
        return None
    from monitor.sinks.desktop import DesktopSink

    return DesktopSink(config.desktop.least_interval_s)


OUTLETS: dict[str, Callable[[Config, str], Sink | None]] = {
    "webhook": _webhook,
    "alertmanager": _alertmanager,
    "syslog": _syslog,
    "mqtt": _mqtt,
    "metrics": _metrics,
    "desktop": _desktop,
}
"""By name. Each raises BadInputError for settings that cannot be followed."""
