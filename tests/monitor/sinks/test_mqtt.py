"""MQTT against a real broker: what is carried, retained and refused."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from paho.mqtt import client as paho
from receivers import HERE, alert, free_port, mosquitto, outlet, say, status, wait_until

from monitor.config.schema import Config
from monitor.types import Event

pytestmark = pytest.mark.realtime


STARTED = Event("call.started", "call1", "", 0, {"channels": ["caller"]})
STATE = Event("state.changed", "call1", "caller", 0, {"state": "alert", "p_fake": 0.9, "llr": 2.0, "from": "clear"})
ENDED = Event("call.ended", "call1", "", 0, {"channels": {"caller": {}}})


class Listener:
    """Somebody who has subscribed to everything."""

    def __init__(self, port: int, **login: str) -> None:
        self.messages: list[paho.MQTTMessage] = []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if login:
            self._client.username_pw_set(login["user"], login["password"])
        subscribed = threading.Event()
        self._client.on_connect = lambda c, *_: c.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda _c, _u, message: self.messages.append(message)
        self._client.connect(HERE, port)
        self._client.loop_start()
        assert subscribed.wait(30.0)

    def of(self, topic: str) -> list[Any]:
        return [m.payload.decode() for m in list(self.messages) if m.topic == f"deepfake-speech-monitor/{topic}"]

    def close(self) -> None:
        self._client.loop_stop()
        self._client.disconnect()


@contextmanager
def listening(port: int, **login: str) -> Iterator[Listener]:
    found = Listener(port, **login)
    try:
        yield found
    finally:
        found.close()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_mqtt_carries_events_and_retains_what_holds(version: str, tmp_path: Path) -> None:
    with mosquitto(tmp_path) as port, listening(port) as listener:
        with outlet("mqtt", address=f"{HERE}:{port}", version=version) as bus:
            for event in (STARTED, STATE, alert(), Event("score", "call1", "caller", 1)):
                bus.publish(event, wait=True)
            assert bus.drain(30.0)
            wait_until(lambda: "1" in listener.of("open_alerts"))
            with listening(port) as late:
                wait_until(lambda: late.of("open_alerts") == ["1"] and late.of("status") == ["online"])
                wait_until(lambda: late.of("state/call1/caller"))
                retained = json.loads(late.of("state/call1/caller")[0])
                assert retained["state"] == "alert"
                assert retained["since"] < retained["time"]
                assert late.of("event/alert/opened") == []
            bus.publish(alert(what="closed"), wait=True)
            bus.publish(ENDED, wait=True)
            assert bus.drain(30.0)
        wait_until(lambda: listener.of("status")[-1] == "offline", "the goodbye")
        with listening(port) as late:
            wait_until(lambda: late.of("open_alerts") == ["0"])
            assert late.of("state/call1/caller") == []
    envelopes = [json.loads(text) for text in listener.of("event/alert/opened")]
    assert [e["id"] for e in envelopes] == ["epoch-3"]
    message = next(m for m in listener.messages if m.topic.endswith("event/alert/opened"))
    assert message.qos == 1
    if version == "5":
        assert message.properties.ContentType.startswith("application/cloudevents+json")  # type: ignore[union-attr]


def test_a_broker_that_dies_loses_no_alert_and_is_told_again_what_holds(tmp_path: Path) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        with mosquitto(tmp_path, port=port):
            bus = stack.enter_context(outlet("mqtt", address=f"{HERE}:{port}"))
            bus.publish(STARTED, wait=True)
            say(bus, 1)
            assert bus.drain(30.0)
        wait_until(lambda: not status(bus).ok, "the fault")
        say(bus, 3, first=2)
        assert status(bus).queued == 3
        with mosquitto(tmp_path, port=port), listening(port) as listener:
            assert bus.drain(30.0)
            wait_until(lambda: "4" in listener.of("open_alerts"))
            wait_until(lambda: listener.of("state/call1/caller"))
            assert status(bus).dropped == 0
            numbers = [json.loads(text)["data"]["seq"] for text in listener.of("event/alert/opened")]
            assert set(numbers) <= {3, 4, 5}
            assert numbers == sorted(numbers)
            wait_until(lambda: status(bus).ok, "recovery")


def test_mqtt_with_a_password_and_the_word_of_a_broker_that_refuses(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "me", "secret"], check=True, capture_output=True)
    passwords.chmod(0o644)
    (tmp_path / "key").write_text("secret\n")
    with mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}") as port:
        right = {"user": "me", "password": f"file:{tmp_path}/key"}
        with listening(port, user="me", password="secret") as listener:
            with outlet("mqtt", address=f"{HERE}:{port}", **right) as bus:
                say(bus, 1)
                wait_until(lambda: listener.of("event/alert/opened"))
                assert bus.drain(30.0)
            with outlet("mqtt", address=f"{HERE}:{port}", user="me", password="wrong") as bus:
                wait_until(lambda: "Not authorized" in status(bus).fault, "the fault")


def test_mqtt_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert(HERE)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    (tmp_path / "server.pem").chmod(0o644)
    pem = tmp_path / "server.pem"
    with mosquitto(tmp_path, "allow_anonymous true", f"certfile {pem}", f"keyfile {pem}") as port:
        with outlet("mqtt", address=f"{HERE}:{port}", tls=True, ca_file=str(tmp_path / "ca.pem")) as bus:
            say(bus, 1)
            assert bus.drain(30.0)
            assert status(bus).ok
        with outlet("mqtt", address=f"{HERE}:{port}", tls=True) as bus:
            wait_until(lambda: "certificate not trusted" in status(bus).fault, "the fault")


def test_a_password_never_crosses_the_network_in_clear() -> None:
    with pytest.raises(ValueError, match="tls = true"):
        Config.model_validate({"mqtt": {"address": "broker.example.org:1883", "password": "x"}})
