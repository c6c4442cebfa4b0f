"""Notifications on the desktop, and settings of outlets that cannot be followed."""

from __future__ import annotations

from pathlib import Path

import pytest
from receivers import HERE, alert, notifier, outlet, say, status, wait_until

from monitor.errors import BadInputError

pytestmark = pytest.mark.realtime


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
