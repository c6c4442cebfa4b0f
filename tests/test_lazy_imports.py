"""Importing does nothing and loads little, and what cannot be used is refused before the network is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CALL = b"RIFF\x64\x06\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0data\x40\x06\0\0" + bytes(1600)
"""A WAV file of 0.05 s."""

HEAVY = (
    "torch",
    "numpy",
    "pydantic",
    "librosa",
    "sounddevice",
    "scipy",
    "zmq",
    "soundfile",
    "av",
    "paho",
    "c2pa",
    "perth",
)


def _python(program: str) -> dict[str, object]:
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True, cwd=ROOT
    )
    answer: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    return answer


def _forked(programs: dict[str, str], before: str, after: str) -> dict[str, object]:
    """Run each program in a child of one interpreter that ran `before`; return the value of `after` in each."""
    return _python(f"""
import json, os, sys
{before}
found = dict()
for name, program in {programs!r}.items():
    reading, writing = os.pipe()
    if not os.fork():
        exec(program)
        os.write(writing, json.dumps({after}).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as answer:
        found[name] = json.loads(answer.read() or "null")
    os.wait()
print(json.dumps(found))
""")


def test_the_command_line_and_its_help_load_nothing_heavy() -> None:
    found = _python(f"""
import json, sys
import monitor.cli.main
imported = [m for m in {HEAVY!r} if m in sys.modules]
status = [monitor.cli.main.run_cli(words) for words in (["--help"], ["replay", "--help"], ["--version"])]
# typer itself loads pydantic once it reads a command line.
helped = [m for m in {HEAVY!r} if m in sys.modules and m != "pydantic"]
print(json.dumps(dict(imported=imported, helped=helped, status=status)))
""")
    assert found == {"imported": [], "helped": [], "status": [0, 0, 0]}


def test_subscribe_loads_neither_numpy_nor_onnxruntime() -> None:
    found = _python("""
import json, sys
import monitor.cli.main
status = monitor.cli.main.run_cli(["subscribe", "ipc:///nowhere/at/all", "--timeout", "0.1", "--json"])
print(json.dumps(dict(status=status, loaded=[m for m in ("numpy", "onnxruntime") if m in sys.modules])))
""")
    assert found == {"status": 0, "loaded": []}


REFUSED = (
    ("replay", "call.wav", "--weights", "none"),
    ("replay", "call.wav", "--weights", "call.wav"),
    ("replay", "call.wav", "--weights", "none.onnx"),
    ("replay", "none.wav"),
    ("replay", "call.wav", "--publish", "tcp://127.0.0.1:99999"),
    ("replay", "call.wav", "--no-publish", "--journal", "none/journal"),
    ("replay", "call.wav", "--no-publish", "--evidence", "call.wav"),
    ("serve", "--rtp", "127.0.0.1:5004", "--weights", "none"),
    ("serve", "--rtp", "127.0.0.1:99999"),
    ("serve",),
    ("score", "call.wav", "--weights", "none"),
    ("score", "none*.wav"),
    ("score", "call.wav", "--out", "scores.xlsx"),
)


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """By command its exit status, and what is loaded after it: each runs in a child of its own."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "call.wav").write_bytes(CALL)
    return _forked(
        {" ".join(words): f"status = monitor.cli.main.run_cli({list(words)!r})" for words in REFUSED},
        before=f"import monitor.cli.main, monitor.config.schema; os.chdir({str(folder)!r})",
        after="[status, [m for m in ('onnxruntime', 'torch') if m in sys.modules]]",
    )


@pytest.mark.parametrize("words", [" ".join(words) for words in REFUSED])
def test_what_cannot_be_used_is_refused_before_the_network_is_loaded(refused: dict[str, object], words: str) -> None:
    assert refused[words] == [2, []]


LIGHT = {
    "monitor.types": (),
    "monitor.errors": (),
    "monitor.events": (),
    **{
        f"monitor.events.{name}": ()
        for name in ("bus", "cloudevents", "redaction", "sink", "sink_worker", "wire", "write_ahead")
    },
    "monitor.events.schema.schema_files": (),
    "monitor.events.schema.event_models": ("pydantic",),
    "monitor.cluster.shard_process": (),
    "monitor.engine.calls": (),
    "monitor.subscriber": ("zmq",),
    "monitor.config.schema": ("pydantic",),
}
"""What of HEAVY a module loads."""


@pytest.fixture(scope="module")
def loaded() -> dict[str, object]:
    programs = {module: f"import {module}" for module in LIGHT}
    return _forked(programs, before="", after=f"[m for m in {HEAVY!r} if m in sys.modules]")


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_stays_light(loaded: dict[str, object], module: str) -> None:
    assert loaded[module] == list(LIGHT[module])


def test_importing_the_program_starts_no_thread_and_touches_no_sound_system() -> None:
    found = _python("""
import importlib, json, pkgutil, sys, threading
import monitor
names = [m.name for m in pkgutil.walk_packages(monitor.__path__, "monitor.") if not m.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(json.dumps(dict(modules=len(names), threads=threading.active_count(), sound="sounddevice" in sys.modules)))
""")
    assert found["threads"] == 1
    assert found["sound"] is False
    assert isinstance(found["modules"], int)
    assert found["modules"] > 40
