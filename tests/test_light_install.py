"""Live use needs nothing of the extras: it runs where their packages cannot be imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import environment, make_weights, turning_call, write_wav

ROOT = Path(__file__).parents[1]
EXTRAS = (
    *("torch", "torchaudio", "safetensors", "onnx", "soxr", "librosa", "scipy", "sklearn", "matplotlib", "paho"),
    *("c2pa", "perth", "pyarrow"),
)
BLOCKED = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
from monitor.cli.main import run_cli
sys.exit(run_cli(sys.argv[1:]))
"""


def run_without_extras(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCKED, *map(str, words)]
    env = environment(PYTHONPATH=str(ROOT), HOME=str(folder), XDG_CACHE_HOME=str(folder / "cache"))
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture
def call(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "call.wav", turning_call(3.0, 4.0, 1.0))


def test_a_call_is_replayed_with_its_alert(tmp_path: Path, call: Path) -> None:
    weights = make_weights(tmp_path / "hiss.safetensors")
    ran = run_without_extras(
        tmp_path, "replay", call, "--weights", weights, "--speed", "max", "--json", "--journal", "j"
    )
    assert ran.returncode == 0, ran.stderr
    types = [json.loads(line)["type"] for line in ran.stdout.splitlines()]
    assert {"score", "alert.opened", "call.ended"} <= set(types)
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name], "it reports to its makers"


@pytest.mark.parametrize("words", [("score",), ("--help",), ("doctor",), ("devices",), ("config",)])
def test_other_commands_run(tmp_path: Path, call: Path, words: tuple[str, ...]) -> None:
    ran = run_without_extras(tmp_path, *words, *([call] if words == ("score",) else []))
    assert "Traceback" not in ran.stderr
    assert "is blocked" not in ran.stderr + ran.stdout
    if words != ("doctor",) and words != ("devices",):
        assert ran.returncode == 0, ran.stderr


def test_weights_without_their_networks_say_what_to_run(tmp_path: Path, call: Path) -> None:
    weights = make_weights(tmp_path / "hiss.safetensors")
    weights.with_suffix(".onnx").unlink()
    ran = run_without_extras(tmp_path, "replay", call, "--weights", weights, "--speed", "max", "--json")
    assert ran.returncode == 2
    assert "training export" in ran.stderr


def test_every_module_of_the_program_can_be_imported(tmp_path: Path) -> None:
    program = BLOCKED.split("from monitor.cli.main")[0] + (
        "import importlib, pkgutil, monitor\n"
        "for module in pkgutil.walk_packages(monitor.__path__, 'monitor.'):\n"
        "    if not module.name.endswith(('__main__', 'torch_scorer')):\n"
        "        importlib.import_module(module.name)\n"
    )
    env = environment(PYTHONPATH=str(ROOT))
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
