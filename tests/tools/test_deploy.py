"""What is handed to other programs when the monitor is installed: manual page, service, containers."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from monitor.cli.main import COMMANDS
from monitor.config.load import load_settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy" / "docker"
UNIT = ROOT / "deploy" / "systemd" / "speech-monitor.service"


def manual() -> str:
    return str(runpy.run_path(str(ROOT / "scripts" / "man_page.py"))["page"]())


def test_the_manual_page_tells_of_every_command_and_option() -> None:
    text = manual()
    for name in COMMANDS:
        assert f".SS {name}\n" in text
    assert "\\-\\-fail\\-on\\-alert" in text
    requests = {line.split()[0] for line in text.splitlines() if line.startswith(".")}
    assert requests <= {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".I", ".br", ".nf", ".fi"}


@pytest.mark.skipif(not shutil.which("mandoc"), reason="needs mandoc")
def test_the_manual_page_is_well_formed(tmp_path: Path) -> None:
    page = tmp_path / "monitor.1"
    page.write_text(manual())
    ran = subprocess.run(["mandoc", "-T", "lint", "-W", "error", page], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_the_settings_of_the_container_are_valid_and_agree_with_the_rest() -> None:
    settings = load_settings(DOCKER / "config.toml", {})
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"monitor", "prometheus", "alertmanager", "grafana"}
    assert settings.config.metrics.listen
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DOCKER / source).exists(), source
    prometheus = yaml.safe_load((DOCKER / "prometheus.yml").read_text())
    target = prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0]
    listen = tomllib.loads((DOCKER / "config.toml").read_text())["metrics"]["listen"]
    assert target == f"monitor:{listen.rpartition(':')[2]}"


def test_nothing_is_installed_or_run_without_a_hash() -> None:
    for path in (ROOT / "Makefile", DOCKER / "Dockerfile"):
        lines = path.read_text().replace("\\\n", " ").splitlines()
        commands = [command for line in lines for command in line.split("&&")]
        installed = [command for command in commands if "pip install" in command]
        assert installed
        assert all("--require-hashes" in one or "--no-deps" in one for one in installed), path
        assert all("--require-hashes" in one for one in commands if re.search(r"uv(\)|}|) build", one)), path
    for flow in (ROOT / ".github" / "workflows").glob("*.yml"):
        used = re.findall(r"uses: (\S+)", flow.read_text())
        assert used
        assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name) for name in used), used


def test_what_builds_the_wheel_is_pinned() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    pinned = (ROOT / "scripts" / "build-requirements.txt").read_text()
    for requirement in wanted:
        name = re.match(r"[\w-]+", requirement)
        assert name is not None
        assert re.search(rf"^{name[0]}==\S+ .*\n +--hash=sha256:", pinned, re.M)


def test_grafana_finds_its_source_of_data() -> None:
    sources = yaml.safe_load((DOCKER / "grafana/provisioning/datasources/prometheus.yml").read_text())
    assert [source["type"] for source in sources["datasources"]] == ["prometheus"]
    board = json.loads((ROOT / "docs" / "monitoring" / "grafana.json").read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
    places = [(p["gridPos"]["x"], p["gridPos"]["y"], p["gridPos"]["w"], p["gridPos"]["h"]) for p in panels]
    for number, (x, y, w, h) in enumerate(places):
        for other, (x2, y2, w2, h2) in enumerate(places):
            apart = x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
            assert number == other or apart, (panels[number]["title"], panels[other]["title"])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT.read_text()))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout
