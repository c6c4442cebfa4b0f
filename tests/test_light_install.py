"""Live use needs nothing of the extras: it runs where their packages cannot be imported."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import environment, make_weights, turning_call, write_wav

ROOT = Path(__file__).parents[1]
EXTRAS = (
    *("torch", "torchaudio", "safetensors", "onnx", "soxr", "librosa", "scipy", "sklearn", "matplotlib", "paho"),
    *("c2pa", "perth", "pyarrow"),
)
PROGRAM = f"""
import importlib, json, os, pkgutil, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
from monitor.cli.main import run_cli

for name, words in json.loads(sys.argv[1]).items():
    for fd in (1, 2):
        os.dup2(os.open(f"{{name}}.{{fd}}", os.O_WRONLY | os.O_CREAT), fd)
    status = run_cli(words)
    sys.stdout.flush()
    open(f"{{name}}.status", "w").write(str(status))

import monitor
for module in pkgutil.walk_packages(monitor.__path__, "monitor."):
    if not module.name.endswith(("__main__", "torch_scorer")):
        importlib.import_module(module.name)
"""


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each command has left its status, output and errors: all of them ran in one process, after which it has
    imported every module of the program.
    """
    folder = tmp_path_factory.mktemp("light")
    call = str(write_wav(folder / "call.wav", turning_call(3.0, 4.0, 1.0)))
    weights, alone = make_weights(folder / "hiss.safetensors"), make_weights(folder / "alone.safetensors")
    alone.with_suffix(".onnx").unlink()
    replay = ["replay", call, "--speed", "max", "--json", "--weights"]
    commands = {
        "replay": [*replay, str(weights), "--journal", "j"],
        "alone": [*replay, str(alone)],
        "score": ["score", call],
        "help": ["--help"],
        **{name: [name] for name in ("doctor", "devices", "config")},
    }
    env = environment(PYTHONPATH=str(ROOT), HOME=str(folder), XDG_CACHE_HOME=str(folder / "cache"))
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)], cwd=folder, env=env, timeout=200, check=False
    )
    assert ran.returncode == 0, [path.read_text() for path in folder.glob("*.2")]
    return folder


def ran(folder: Path, name: str) -> Ran:
    status, out, err = ((folder / f"{name}.{end}").read_text() for end in ("status", "1", "2"))
    return Ran(int(status), out, err)


def test_a_call_is_replayed_with_its_alert(folder: Path) -> None:
    replay = ran(folder, "replay")
    assert replay.status == 0, replay.err
    types = [json.loads(line)["type"] for line in replay.out.splitlines()]
    assert {"score", "alert.opened", "call.ended"} <= set(types)
    assert not [path for path in folder.rglob("*") if "onnxruntime" in path.name], "it reports to its makers"


@pytest.mark.parametrize("name", ["score", "help", "doctor", "devices", "config"])
def test_other_commands_run(folder: Path, name: str) -> None:
    command = ran(folder, name)
    assert "Traceback" not in command.err
    assert "is blocked" not in command.err + command.out
    if name not in ("doctor", "devices"):
        assert command.status == 0, command.err


def test_weights_without_their_networks_say_what_to_run(folder: Path) -> None:
    alone = ran(folder, "alone")
    assert alone.status == 2
    assert "training export" in alone.err
