"""Alertmanager, as a receiver of ours and as the real program."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from receivers import HERE, HttpReceiver, Says, alert, free_port, outlet, say, status, wait_until

from monitor.events.wire import alert_started

pytestmark = pytest.mark.realtime


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
