"""The dashboard and the alert rules that come along ask for nothing that the monitor does not say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from receivers import HERE, alert, free_port

from monitor.bus import Bus
from monitor.sinks.metrics import MetricsSink

FOLDER = Path(__file__).parents[1] / "docs/monitoring"
NAME = re.compile(r"\bspeech_monitor_\w+")

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="needs Debian's prometheus")


@pytest.fixture
def exposed() -> Iterator[str]:
    """What a monitor exposes after an alert."""
    port = free_port()
    sink = MetricsSink(f"{HERE}:{port}")
    with Bus([sink], 100) as bus:
        sink.statuses = bus.status
        bus.publish(alert(), wait=True)
        assert bus.drain(10.0)
        with urllib.request.urlopen(f"http://{HERE}:{port}/metrics", timeout=10) as answer:
            yield answer.read().decode()


def names_in(text: str) -> set[str]:
    return {s.name for family in text_string_to_metric_families(text) for s in family.samples}


@pytest.mark.parametrize("file", ["grafana.json", "alerts.yml", "alerts-test.yml"])
def test_every_figure_that_is_asked_for_is_there(file: str, exposed: str) -> None:
    wanted = set(NAME.findall((FOLDER / file).read_text()))
    assert wanted
    assert wanted <= names_in(exposed)


def test_the_dashboard_is_whole() -> None:
    found = json.loads((FOLDER / "grafana.json").read_text())
    panels = found["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@needs_promtool
def test_promtool_takes_rules_figures_and_queries(exposed: str, tmp_path: Path) -> None:
    def promtool(*words: str | Path, stdin: str = "") -> None:
        ran = subprocess.run(
            ["promtool", *words], input=stdin, capture_output=True, text=True, timeout=60, check=False, cwd=FOLDER
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

    promtool("check", "rules", "alerts.yml")
    promtool("test", "rules", "alerts-test.yml")
    promtool("check", "metrics", stdin=exposed)
    panels = json.loads((FOLDER / "grafana.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    rules = [{"record": f"panel:{n}", "expr": q.replace("$__rate_interval", "5m")} for n, q in enumerate(queries)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "panels.yml")
