"""The dashboard and the alert rules that come along ask for nothing that the monitor does not say."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers import settings, turning_call, write_wav
from prometheus_client.parser import text_string_to_metric_families
from receivers import HERE, alert, free_port, wait_until
from serving import serving, simulate

from monitor.events.bus import Bus
from monitor.events.sink import RunContext
from monitor.sinks.metrics import MetricsSink

pytestmark = pytest.mark.realtime

FOLDER = Path(__file__).parents[3] / "docs/monitoring"
NAME = re.compile(r"\bspeech_monitor_\w+")

needs_both = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
    reason="needs Debian's prometheus and prometheus-alertmanager",
)
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="needs Debian's prometheus")


@pytest.fixture
def exposed() -> Iterator[str]:
    """What a monitor exposes after an alert."""
    port = free_port()
    sink = MetricsSink(f"{HERE}:{port}")
    with Bus([sink], 100) as bus:
        sink.start(RunContext("", dict, bus.status))
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


@contextmanager
def running(folder: Path, program: str, *options: str) -> Iterator[str]:
    """A server of Debian's on a free port. Gives its URL."""
    port = free_port()
    words = [program, *options, f"--web.listen-address={HERE}:{port}", f"--storage.{STORE[program]}={folder}/{program}"]
    with (folder / f"{program}.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield f"http://{HERE}:{port}"
    finally:
        process.kill()
        process.wait()


STORE = {"prometheus": "tsdb.path", "prometheus-alertmanager": "path"}


def get(url: str) -> Any:
    """The JSON there; None where nobody listens yet."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


def figures_of(prometheus: str, expression: str) -> list[float]:
    """What a panel would show now."""
    query = expression.replace("$__rate_interval", "10s").replace("$instance", ".*")
    found = get(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
    return [] if found is None else [float(row["value"][1]) for row in found["data"]["result"]]


@needs_both
def test_every_panel_shows_figures_of_a_live_call_and_both_ways_to_an_alertmanager_work(tmp_path: Path) -> None:
    """Its rules fire in a real Prometheus, and the monitor's own outlet reaches a real Alertmanager."""
    rtp, metrics = f"{HERE}:{free_port()}", f"{HERE}:{free_port()}"
    jobs = [{"job_name": "speech-monitor", "static_configs": [{"targets": [metrics]}]}]
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    scraped = {"global": every, "rule_files": [str(FOLDER / "alerts.yml")], "scrape_configs": jobs}
    (tmp_path / "prometheus.yml").write_text(json.dumps(scraped))
    (tmp_path / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    wav = write_wav(tmp_path / "turning.wav", turning_call(4, 20, 1))
    panels = json.loads((FOLDER / "grafana.json").read_text())["panels"]
    wanted = {target["expr"] for panel in panels for target in panel["targets"]}
    with ExitStack() as stack:
        manager = stack.enter_context(
            running(
                tmp_path, "prometheus-alertmanager", f"--config.file={tmp_path}/am.yml", "--cluster.listen-address="
            )
        )
        prometheus = stack.enter_context(running(tmp_path, "prometheus", f"--config.file={tmp_path}/prometheus.yml"))
        outlets = settings(f"metrics.listen={metrics}", f"alertmanager.url={manager}", "alertmanager.retry_longest_s=1")
        stack.enter_context(serving(tmp_path, "--rtp", rtp, *outlets))
        stack.enter_context(simulate(tmp_path, "rtp", wav, rtp, "--with", "codec=G722"))
        fired: set[str] = set()
        told: set[str] = set()

        def all_seen() -> bool:
            wanted.difference_update({e for e in wanted if any(map(math.isfinite, figures_of(prometheus, e)))})
            rules = (get(f"{prometheus}/api/v1/alerts") or {"data": {"alerts": []}})["data"]["alerts"]
            fired.update(rule["labels"]["alertname"] for rule in rules if rule["state"] == "firing")
            told.update(found["labels"]["alertname"] for found in get(f"{manager}/api/v2/alerts") or [])
            return not wanted and "SyntheticSpeech" in fired and "SyntheticSpeech" in told

        wait_until(all_seen, "figures in every panel, and the alert in both")
