"""The manifests in deploy/kuberay name the Ray that is installed, and commands that exist."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from helpers import needs

from monitor.cli.main import run_cli

yaml = pytest.importorskip("yaml")
pytestmark = needs("ray")
MANIFESTS = sorted((Path(__file__).parents[2] / "deploy" / "kuberay").rglob("*.yaml"))


def values(node: Any, key: str) -> list[Any]:
    """All that stands under a key, however deep."""
    if isinstance(node, list):
        return [found for item in node for found in values(item, key)]
    if not isinstance(node, dict):
        return []
    return [v for k, v in node.items() if k == key] + [f for v in node.values() for f in values(v, key)]


def test_there_are_manifests() -> None:
    assert len(MANIFESTS) >= 2


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_of_the_ray_that_is_installed_and_all_its_images_are_one(path: Path) -> None:
    manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(values(manifest, "rayVersion")) == {version("ray")}
    assert len(set(values(manifest, "image"))) == 1


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_the_options_of_a_command_exist(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for entrypoint in values(yaml.safe_load(path.read_text(encoding="utf-8")), "entrypoint"):
        program, command, *words = entrypoint.split()
        assert program == "monitor"
        assert run_cli([command, "--help"]) == 0
        shown = capsys.readouterr().out
        assert all(re.search(rf"{word}\b", shown) for word in words if word.startswith("--"))
