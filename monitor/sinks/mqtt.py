"""Events to an MQTT broker, QoS 1, and what holds now as retained messages, for a house or a wall of lamps.

An event counts as delivered once the broker has acknowledged it. The topics under mqtt.prefix:

    event/<type>                     each event that is wanted, in the envelope of CloudEvents (structured mode)
    state/<call>/<channel>           retained while the call runs: state, p_fake, llr, whether an alert is open
    open_alerts                      retained: how many alerts are open
    status                           retained: online or offline (the broker's word where the monitor cannot say it)
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from monitor.config.addresses import read_address
from monitor.config.outlets import MqttSection
from monitor.errors import BadInputError, SinkError
from monitor.events.cloudevents import STRUCTURED, structured
from monitor.events.sink import Sink
from monitor.sinks.http import reason, tls_context
from monitor.sinks.mqtt_state import RetainedTopics, concerns
from monitor.sinks.selection import selector
from monitor.types import Event

QOS = 1
KEEPALIVE_S = 30
LOOP_S = 0.05
OFFLINE_S = 0.2


class MqttSink(Sink):
    """One connection, driven by the sink's own thread; a new one after a fault."""

    name = "mqtt"

    def __init__(self, section: MqttSection, source: str) -> None:
        """Raises BadInputError where paho-mqtt is not installed, or a setting cannot be used."""
        self._section, self._source = section, source
        self._host, self._port = read_address("mqtt.address", section.address, lowest_port=1)
        self._password = section.password.reveal()
        self._context = tls_context(section.ca_file) if section.tls else None
        self._chosen = selector(section.events)
        self._retained = RetainedTopics()
        self._client: Any = None
        self._refusal = ""
        _paho()

    def wants(self, event: Event) -> bool:
        """Return what is chosen, and what changes the retained messages."""
        return self._chosen(event) or concerns(event)

    def emit(self, event: Event) -> None:
        """Publish it and wait for the broker. Raises SinkError."""
        if self._client is None:
            self._connect()
        if self._chosen(event):
            body = structured(event, self._source)
            self._publish(f"event/{event.type.replace('.', '/')}", body, retain=False, content_type=STRUCTURED)
        after = self._retained.after(event)
        for topic, payload in after.since(self._retained):
            self._publish(topic, payload, retain=True)
        self._retained = after

    def tick(self) -> None:
        """Keep the connection alive. Raises SinkError where it was lost."""
        if self._client is None:
            self._connect()
        else:
            self._turn(0.0)

    def tick_in_s(self) -> float:
        """Return the time until what the broker says is to be read."""
        return LOOP_S

    def close(self) -> None:
        """Say goodbye. May be called twice."""
        if self._client is not None:
            with contextlib.suppress(SinkError):
                self._publish("status", "offline", retain=True, within_s=OFFLINE_S)
                self._client.disconnect()
        self._client = None

    def _topic(self, rest: str) -> str:
        return f"{self._section.prefix}/{rest}"

    def _connect(self) -> None:
        """Raises SinkError. What is retained is said anew: the broker may have forgotten it."""
        client = self._make()
        try:
            client.connect(self._host, self._port, KEEPALIVE_S)
        except OSError as error:
            raise SinkError(f"{self._section.address}: {reason(error)}") from error
        self._client, self._refusal = client, ""
        self._until(client.is_connected, self._section.timeout_s)
        self._publish("status", "online", retain=True)
        for topic, payload in self._retained.messages().items():
            self._publish(topic, payload, retain=True)

    def _make(self) -> Any:
        mqtt, section = _paho(), self._section
        protocol = mqtt.MQTTv5 if section.version == "5" else mqtt.MQTTv311
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, section.client_id or None, protocol=protocol)
        client.connect_timeout = section.timeout_s
        client.will_set(self._topic("status"), "offline", QOS, retain=True)
        if section.user:
            client.username_pw_set(section.user, self._password or None)
        if self._context is not None:
            client.tls_set_context(self._context)
        client.on_connect = lambda _c, _u, _f, code, _p: self._acknowledged(code)
        client.on_publish = lambda _c, _u, _id, code, _p: self._acknowledged(code)
        client.on_disconnect = lambda _c, _u, _f, code, _p: self._ended(code)
        return client

    def _ended(self, code: Any) -> None:
        self._refusal = self._refusal or f"connection lost: {code}"

    def _acknowledged(self, code: Any) -> None:
        """Check an acknowledgement: by MQTT 5 a broker may acknowledge a message that it has not taken."""
        if code.is_failure:
            self._refusal = str(code)

    def _publish(
        self, topic: str, payload: str | bytes, *, retain: bool, content_type: str = "", within_s: float | None = None
    ) -> None:
        info = self._client.publish(self._topic(topic), payload, QOS, retain, self._properties(content_type))
        self._until(info.is_published, self._section.timeout_s if within_s is None else within_s)

    def _until(self, done: Callable[[], bool], within_s: float) -> None:
        until = time.monotonic() + within_s
        while not self._done(done):
            self._turn(LOOP_S)
            if time.monotonic() > until:
                self._lose("no acknowledgement in time")

    def _done(self, done: Callable[[], bool]) -> bool:
        try:
            return done()
        except (RuntimeError, ValueError) as error:  # paho's word for a connection that is gone
            self._lose(str(error))

    def _turn(self, wait_s: float) -> None:
        """Read and write what there is. Raises SinkError where the broker refused, or the connection is gone."""
        self._client.loop(wait_s)
        if self._refusal:
            self._lose(self._refusal)

    def _lose(self, why: str) -> NoReturn:
        self._client = None
        raise SinkError(f"{self._section.address}: {why}")

    def _properties(self, content_type: str) -> Any:
        """MQTT 3.1.1 has none."""
        if not content_type or self._section.version != "5":
            return None
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        found = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        found.ContentType = content_type
        return found


def _paho() -> ModuleType:
    try:
        from paho.mqtt import client
    except ImportError as error:
        hint = 'pip install "deepfake-speech-monitor[mqtt]"'
        raise BadInputError("mqtt.address needs the package paho-mqtt", hint) from error
    return client
