"""The metrics that Prometheus reads."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from helpers import QUICK, make_weights, settings, start_monitor, turning_call, write_wav
from prometheus_client.parser import text_string_to_metric_families
from receivers import FAULT, HERE, SyslogReceiver, free_port, outlet, say, wait_until

from monitor.config.schema import Config
from monitor.errors import BadInputError
from monitor.events.bus import Bus
from monitor.events.sink import RunContext
from monitor.sinks.registry import open_sinks

pytestmark = pytest.mark.realtime


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
