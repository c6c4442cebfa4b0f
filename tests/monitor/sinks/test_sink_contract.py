"""Every sink keeps the contract of a sink, and the settings open those that they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from receivers import HttpReceiver, SyslogReceiver, alert, free_port, mosquitto, notifier

from monitor.config.schema import Config
from monitor.errors import BadInputError
from monitor.events.bus import Bus
from monitor.sinks.registry import SINKS, open_sinks
from monitor.types import Event


def score(sample: int = 0) -> Event:
    return Event("score", "call1", "caller", sample, {"p_fake": 0.5})


def test_the_sinks_of_a_configuration(tmp_path: Path) -> None:
    none = {"zeromq": {"enabled": False}}
    assert open_sinks(Config.model_validate(none), "epoch") == []
    bad = {"zeromq": {"address": "tcp://127.0.0.1:*"}, "journal": {"path": "/nowhere/at/all"}}
    with pytest.raises(BadInputError, match="/nowhere/at/all"):
        open_sinks(Config.model_validate(bad), "epoch")
    good = {"zeromq": {"address": "tcp://127.0.0.1:*"}, "journal": {"path": str(tmp_path / "journal")}}
    opened = open_sinks(Config.model_validate(good), "epoch")
    assert [sink.name for sink in opened] == ["zeromq", "journal"]
    for sink in opened:
        sink.close()


@pytest.fixture
def all_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """Settings under which every sink is turned on and has somebody to talk to."""
    notifier(tmp_path, monkeypatch)
    with HttpReceiver() as http, SyslogReceiver() as syslog, mosquitto(tmp_path) as broker:
        yield {
            "zeromq": {"address": "tcp://127.0.0.1:*"},
            "journal": {"path": str(tmp_path / "journal")},
            "evidence_store": {"path": str(tmp_path / "evidence")},
            "webhook": {"url": http.url, "events": ["alert", "call", "score"]},
            "alertmanager": {"url": http.url},
            "syslog": {"address": f"127.0.0.1:{syslog.port}", "events": ["alert", "call", "score"]},
            "mqtt": {"address": f"127.0.0.1:{broker}", "events": ["alert", "call", "score"]},
            "metrics": {"listen": f"127.0.0.1:{free_port()}"},
            "desktop": {"enabled": True},
        }


ALERTS_ALONE = ("alertmanager", "desktop")


@pytest.mark.parametrize("name", sorted(SINKS))
def test_every_sink_keeps_the_contract(name: str, all_on: dict[str, object]) -> None:
    config = Config.model_validate(all_on)
    (sink,) = SINKS[name](config, "epoch")
    assert sink.name == name
    with Bus([sink], 100, epoch="epoch") as bus:
        for event in (Event("call.started", "c", "", 0), score(1), alert()):
            bus.publish(event, wait=True)
        assert bus.drain(30.0)
        assert bus.status()[0].emitted == (1 if name in ALERTS_ALONE else 3)
        assert bus.status()[0].ok
    sink.close()
