"""Syslog over UDP, TCP and TLS."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from receivers import FAULT, HERE, SyslogReceiver, alert, outlet, say, status, wait_until

from monitor.types import Event

pytestmark = pytest.mark.realtime


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
