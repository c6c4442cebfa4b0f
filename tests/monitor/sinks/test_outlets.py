"""Syslog, MQTT, Alertmanager, metrics and notifications against real receivers, dying ones among them."""

from __future__ import annotations

import contextlib
import json
import shutil
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from helpers import QUICK, make_weights, settings, start_monitor, turning_call, write_wav
from paho.mqtt import client as paho
from prometheus_client.parser import text_string_to_metric_families
from receivers import (
    HERE,
    HttpReceiver,
    Says,
    SyslogReceiver,
    alert,
    free_port,
    mosquitto,
    notifier,
    outlet,
    say,
    status,
    wait_until,
)

from monitor.config.schema import Config
from monitor.errors import BadInputError
from monitor.events.bus import Bus
from monitor.events.sink import RunContext
from monitor.events.wire import alert_started
from monitor.sinks.registry import open_sinks
from monitor.types import Event

pytestmark = pytest.mark.realtime

STARTED = Event("call.started", "call1", "", 0, {"channels": ["caller"]})
STATE = Event("state.changed", "call1", "caller", 0, {"state": "alert", "p_fake": 0.9, "llr": 2.0, "from": "clear"})
ENDED = Event("call.ended", "call1", "", 0, {"channels": {"caller": {}}})
FAULT = Event("health", "", "", 0, {"code": "stalled", "detail": "", "usable": False})


def in_words(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(raw[raw.index(b"] {") + 2 :])
    return found


def test_syslog_by_udp() -> None:
    with SyslogReceiver("udp") as receiver, outlet("syslog", address=f"{HERE}:{receiver.port}") as bus:
        say(bus, 1)
        bus.publish(Event("score", "call1", "caller", 1), wait=True)
        bus.publish(FAULT, wait=True)
        messages = receiver.wait_for(2)
        assert bus.drain(10.0)
        assert status(bus).emitted == 2
    assert messages[0].startswith(b"<129>1 ")
    assert messages[1].startswith(b"<132>1 ")
    assert in_words(messages[0])["type"] == "alert.opened"


def test_what_no_datagram_can_hold_is_given_up_and_said() -> None:
    with SyslogReceiver("udp") as receiver, outlet("syslog", address=f"{HERE}:{receiver.port}") as bus:
        bus.publish(alert(why="x" * 70_000), wait=True)
        say(bus, 1)
        receiver.wait_for(1)
        assert bus.drain(10.0)
        assert status(bus).dropped == 1


@pytest.mark.parametrize("tls", [False, True])
def test_syslog_by_a_stream_that_dies_loses_nothing(tls: bool, tmp_path: Path) -> None:
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HERE).configure_cert(server)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    how: dict[str, object] = {"transport": "tls", "ca_file": str(tmp_path / "ca.pem")} if tls else {"transport": "tcp"}
    with SyslogReceiver("tcp", server if tls else None) as receiver:
        with outlet("syslog", address=f"{HERE}:{receiver.port}", **how) as bus:
            say(bus, 3)
            receiver.wait_for(3)
            receiver.kill()
            say(bus, 4, first=4)
            wait_until(lambda: not status(bus).ok, "the fault")
            receiver.start()
            assert bus.drain(30.0)
            wait_until(lambda: status(bus).ok, "recovery")
            say(bus, 1, first=8)
            wait_until(lambda: in_words(receiver.messages[-1])["seq"] == 8)
            assert status(bus).dropped == 0
        numbers = [in_words(raw)["seq"] for raw in receiver.messages]
    assert sorted(set(numbers)) == list(range(1, 9))
    again = numbers[3:]
    assert again == sorted(again), "in order, those in doubt first"


def test_syslog_checks_the_certificate() -> None:
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HERE).configure_cert(server)
    with SyslogReceiver("tcp", server) as receiver:
        with outlet("syslog", address=f"{HERE}:{receiver.port}", transport="tls") as bus:
            say(bus, 1)
            wait_until(lambda: "certificate not trusted" in status(bus).fault, "the fault")
        assert receiver.messages == []


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


def alertmanager_bodies(receiver: HttpReceiver) -> list[Any]:
    return [alert for request in receiver.taken for alert in request.json]


def test_alertmanager_hears_of_open_alerts_again_and_again_until_they_close() -> None:
    with (
        HttpReceiver(Says(503)) as receiver,
        outlet("alertmanager", url=f"http://{HERE}:{receiver.port}", resend_s=0.1, retry_first_s=0.05) as bus,
    ):
        opened = bus.publish(alert(), wait=True)
        receiver.wait_for(4)
        closed = bus.publish(alert(what="closed"), wait=True)
        assert bus.drain(10.0)
        bodies = alertmanager_bodies(receiver)
        assert {request.path for request in receiver.requests} == {"/api/v2/alerts"}
    assert {body["startsAt"] for body in bodies} == {alert_started(opened)}
    assert bodies[-1]["endsAt"] == closed.time
    assert len({json.dumps(body["labels"]) for body in bodies}) == 1
    assert all(body["endsAt"] > body["startsAt"] for body in bodies)


needs_alertmanager = pytest.mark.skipif(
    not shutil.which("prometheus-alertmanager"), reason="needs Debian's prometheus-alertmanager"
)


@needs_alertmanager
def test_the_real_alertmanager_takes_and_resolves_an_alert(tmp_path: Path) -> None:
    with (
        alertmanager(tmp_path) as port,
        outlet("alertmanager", url=f"http://{HERE}:{port}/", retry_longest_s=1.0) as bus,
    ):
        bus.publish(alert(), wait=True)
        assert bus.drain(60.0)
        wait_until(lambda: len(active(port)) == 1, "the alert")
        assert active(port)[0]["labels"]["call"] == "call1"
        bus.publish(alert(what="closed"), wait=True)
        assert bus.drain(30.0)
        wait_until(lambda: active(port) == [], "its end")


@needs_alertmanager
def test_the_real_alertmanager_keeps_the_start_of_an_alert_that_the_webhook_updates(tmp_path: Path) -> None:
    with alertmanager(tmp_path) as port:
        url = f"http://{HERE}:{port}/api/v2/alerts"
        with outlet("webhook", url=url, body="alertmanager", retry_longest_s=1.0) as bus:
            opened = bus.publish(alert(duration_s=0.0), wait=True)
            assert bus.drain(60.0)
            for duration_s in (0.5, 1.0):
                time.sleep(0.5)
                updated = bus.publish(alert(what="updated", duration_s=duration_s), wait=True)
                assert bus.drain(30.0)
                found = active(port)[0]
                assert abs(parsed(found["startsAt"]) - parsed(opened.time)) < timedelta(seconds=0.4)
                assert parsed(found["endsAt"]) > parsed(updated.time) + timedelta(minutes=4)
            bus.publish(alert(what="closed", duration_s=1.0), wait=True)
            assert bus.drain(30.0)
            wait_until(lambda: active(port) == [], "its end")


def parsed(found: str) -> datetime:
    return datetime.fromisoformat(found)


def active(port: int) -> list[Any]:
    with urllib.request.urlopen(f"http://{HERE}:{port}/api/v2/alerts", timeout=10) as answer:
        found: list[Any] = json.load(answer)
    return found


@contextmanager
def alertmanager(folder: Path) -> Iterator[int]:
    """A real one on a free port, which it gives."""
    port = free_port()
    (folder / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    options = [f"--config.file={folder}/am.yml", f"--storage.path={folder}/data", "--cluster.listen-address="]
    words = ["prometheus-alertmanager", *options, f"--web.listen-address={HERE}:{port}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def scrape(port: int) -> dict[tuple[str, str], float]:
    """(name, value of the label) to figure; read by the client's own parser."""
    with urllib.request.urlopen(f"http://{HERE}:{port}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {(s.name, next(iter(s.labels.values()), "")): s.value for family in families for s in family.samples}


def test_metrics_of_a_real_replay(tmp_path: Path) -> None:
    call = write_wav(tmp_path / "secret-name.wav", turning_call(3, 4, 5))
    weights, port = make_weights(tmp_path / "weights.safetensors"), free_port()
    figures = settings(*QUICK, f"metrics.listen={HERE}:{port}")
    with start_monitor(
        "replay", call, "--weights", weights, "--no-publish", "--json", *figures, cwd=tmp_path
    ) as monitor:
        monitor.wait_for(lambda line: '"alert.opened"' in line)
        wait_until(lambda: scrape(port)["speech_monitor_alerts_open", ""] == 1)
        found = scrape(port)
        assert found["speech_monitor_events_total", "alert.opened"] == 1
        assert found["speech_monitor_events_total", "score"] > 50
        assert found["speech_monitor_channels", "alert"] == 1
        assert found["speech_monitor_calls", ""] == 1
        assert found["speech_monitor_sink_up", "stdout"] == 1
        assert found["speech_monitor_sink_dropped_events_total", "metrics"] == 0
        assert found["speech_monitor_audio_lost_seconds_total", ""] == 0
        with urllib.request.urlopen(f"http://{HERE}:{port}/metrics", timeout=10) as answer:
            assert "secret-name" not in answer.read().decode()
        assert monitor.end() == 0


def test_metrics_count_faults_latencies_and_what_waits() -> None:
    port = free_port()
    config = Config.model_validate(
        {
            "zeromq": {"enabled": False},
            "metrics": {"listen": f"{HERE}:{port}"},
            "webhook": {"url": f"http://{HERE}:{free_port()}/"},
        }
    )
    sinks = open_sinks(config, "epoch")
    with Bus(sinks, 1000, "epoch") as bus:
        metrics = next(sink for sink in sinks if sink.name == "metrics")
        metrics.start(RunContext("", lambda: {"calls_refused": 4}, bus.status))
        metrics.observe_latency(0.02)
        bus.publish(FAULT, wait=True)
        say(bus, 2)
        wait_until(lambda: scrape(port)["speech_monitor_sink_up", "webhook"] == 0, "the fault")
        wait_until(lambda: scrape(port).get(("speech_monitor_sink_faults_total", "webhook")) == 1)
        found = scrape(port)
        assert found["speech_monitor_sink_queued_events", "webhook"] == 3
        assert found["speech_monitor_input_faults_total", ""] == 1
        assert found["speech_monitor_calls_refused_total", ""] == 4
        assert found["speech_monitor_latency_seconds_count", ""] == 1
        assert found["speech_monitor_latency_seconds_bucket", "0.02"] == 1
        assert found["speech_monitor_latency_seconds_bucket", "0.01"] == 0


@pytest.mark.parametrize(("listen", "said"), [("0.0.0.0:9464", "other machines"), ("9464", "is not an address")])
def test_metrics_listen_on_this_machine_alone(listen: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said), outlet("metrics", listen=listen):
        pass


def test_a_port_that_is_taken_is_one_clear_error() -> None:
    with SyslogReceiver("tcp") as other:
        taken = Config.model_validate({"metrics": {"listen": f"{HERE}:{other.port}"}, "zeromq": {"enabled": False}})
        with pytest.raises(BadInputError, match="in use"):
            open_sinks(taken, "epoch")


def test_one_notification_for_an_alert_and_never_a_flood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = notifier(tmp_path, monkeypatch)
    with outlet("desktop", enabled=True, least_interval_s=0.5) as bus:
        say(bus, 1)
        wait_until(shown.exists, "the notification")
        say(bus, 200, first=2)
        bus.publish(alert(what="closed"), wait=True)
        wait_until(lambda: "(and 199 more)" in shown.read_text(), "the second")
    assert shown.read_text().count("Synthetic speech on a call") == 2


def test_a_desktop_that_cannot_show_is_a_fault_until_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = notifier(tmp_path, monkeypatch, status=1)
    with outlet("desktop", enabled=True, least_interval_s=0.2) as bus:
        say(bus, 1)
        for attempts in (1, 3):
            wait_until(lambda n=attempts: shown.exists() and shown.read_text().count("Synthetic") >= n)
            wait_until(lambda: status(bus).fault == "notify-send: no bus", "the fault")
        faults = [status(bus).ok for _ in range(1000)]
        assert not any(faults), "no recovery is told before there is one"
        notifier(tmp_path, monkeypatch)
        wait_until(lambda: status(bus).ok, "recovery")


def test_alertmanager_that_is_gone_stays_a_fault_until_it_is_back() -> None:
    with HttpReceiver() as receiver:
        url = f"http://{HERE}:{receiver.port}"
        how = {"resend_s": 0.05, "retry_first_s": 0.02, "retry_longest_s": 0.05}
        with outlet("alertmanager", url=url, **how) as bus:
            say(bus, 1)
            receiver.wait_for(2)
            receiver.kill()
            wait_until(lambda: not status(bus).ok, "the fault")
            before = len(receiver.taken)
            assert not any(status(bus).ok for _ in range(20_000))
            receiver.start()
            wait_until(lambda: status(bus).ok and len(receiver.taken) > before, "recovery")


def test_a_desktop_without_the_program_is_told_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BadInputError, match="notify-send"), outlet("desktop", enabled=True):
        pass


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("syslog", {"address": "localhost"}),
        ("syslog", {"address": "localhost:99999"}),
        ("mqtt", {"address": ":1883"}),
        ("mqtt", {"address": f"{HERE}:1883", "password": "env:NOT_SET_ANYWHERE"}),
        ("alertmanager", {"url": "https://example.org", "ca_file": "/not/there"}),
    ],
)
def test_settings_that_cannot_be_followed(name: str, section: dict[str, object]) -> None:
    with pytest.raises(BadInputError) as caught, outlet(name, **section):
        pass
    assert caught.value.hint
