"""Who may import what, read from the source; and that importing does nothing and costs little."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("model", "monitor", "training")

MAY_IMPORT = {
    "torch": ("model/", "training/", "monitor/engine/pool.py"),
    "torchaudio": (),
    "librosa": (),
    "sounddevice": ("monitor/sources/portaudio_devices.py",),
    "zmq": (
        "monitor/sinks/zeromq.py",
        "monitor/delivery/keys.py",
        "monitor/delivery/subscriber_sockets.py",
        "monitor/delivery/publisher_sockets.py",
    ),
    "rich": ("monitor/dashboard/",),
    "typer": (
        "monitor/cli/",
        "monitor/entry.py",
        "training/cli/main.py",
        "training/cli/evaluate.py",
        "training/cli/material.py",
        "training/cli/options.py",
        "training/cli/train.py",
    ),
    "av": (
        "model/resample.py",
        "monitor/sources/decoders.py",
        "monitor/rtp/payload.py",
        "monitor/rtp/encode.py",
        "training/",
    ),
    "prometheus_client": ("monitor/sinks/metrics.py",),
    "paho": ("monitor/sinks/mqtt.py",),
    "dpkt": ("monitor/captures/datagrams.py",),
    "starlette": ("monitor/web/",),
    "uvicorn": ("monitor/web/",),
    "websockets": ("monitor/taps/websocket/listener.py", "monitor/simulate/websocket.py"),
    "monitor": ("monitor/",),
    "training": ("training/",),
    "model": ("model/", "monitor/", "training/"),
    "benchmarks": (),
    "chaos": (),
    "pickle": (),
    "tests": (),
}
"""Files, or folders with a slash, that may import a package; all else may not. sounddevice: it lists the devices and
hands the module to the microphone's backend, so that the line that installs PortAudio stands in one place. torchaudio
and librosa: references of tests, too slow to load for a program."""

PURE_WEBSOCKET = (
    *("handler", "trust", "meter", "peer", "messages", "formats", "dialects", "track", "signatures"),
    *("media_streams", "pcm", "pbx"),
)
PURE = {
    "model/": ("threading", "time", "socket", "subprocess", "asyncio", "multiprocessing", "signal"),
    "monitor/engine/decision.py": ("threading", "time", "datetime", "socket", "os", "torch"),
    "monitor/engine/evidence.py": ("threading", "time", "datetime", "socket", "os", "torch"),
    "monitor/engine/operating_point.py": ("threading", "time", "datetime", "socket", "os", "torch"),
    "monitor/engine/event_data.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/delivery/topics.py": ("threading", "time", "datetime", "socket", "os", "zmq"),
    "monitor/delivery/catch_up.py": ("threading", "time", "datetime", "socket", "os", "zmq"),
    "monitor/delivery/answer_timeout.py": ("threading", "time", "datetime", "socket", "os", "zmq"),
    "monitor/delivery/recent_events.py": ("threading", "time", "datetime", "socket", "os", "zmq"),
    "monitor/delivery/rate_limit.py": ("threading", "time", "datetime", "socket", "os", "zmq"),
    "monitor/delivery/requests.py": ("threading", "time", "datetime", "socket", "os", "zmq"),
    "monitor/delivery/zap.py": ("threading", "time", "datetime", "socket", "os", "zmq"),
    "monitor/journal/chain.py": ("threading", "time", "datetime", "socket", "os", "zmq"),
    "monitor/journal/verify.py": ("threading", "time", "datetime", "socket", "os", "zmq"),
    "monitor/delivery/gaps.py": ("threading", "time", "datetime", "socket", "os", "zmq"),
    "monitor/events/cloudevents.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/events/schema/changes.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/sinks/bodies.py": ("threading", "time", "socket", "os"),
    "monitor/sinks/channels.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/sinks/mqtt_state.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/sinks/ocsf.py": ("threading", "time", "socket", "os"),
    "monitor/sinks/retry.py": ("threading", "time", "socket", "os"),
    "monitor/sinks/selection.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/sinks/syslog_message.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/rtp/": ("threading", "time", "datetime", "socket", "os"),
    "monitor/events/redaction.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/store/clip.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/store/audio_history.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/report/history.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/report/charts.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/report/page.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/captures/": ("threading", "time", "datetime", "socket", "os"),
    "monitor/web/snapshot.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/web/browser_microphone.py": ("threading", "time", "datetime", "socket", "os"),
    "monitor/taps/audiohook/": ("threading", "time", "datetime", "socket", "os", "asyncio", "websockets"),
    **dict.fromkeys(
        (f"monitor/taps/websocket/{name}.py" for name in PURE_WEBSOCKET),
        ("threading", "time", "datetime", "socket", "os", "asyncio", "websockets"),
    ),
    "monitor/dashboard/render.py": ("threading", "time", "datetime", "socket", "os"),
}
"""What decides, computes or draws has no clock, thread, socket or file."""

HEAVY = ("torch", "numpy", "pydantic", "librosa", "sounddevice", "scipy", "zmq", "soundfile", "av", "paho")


@dataclass(frozen=True)
class Import:
    file: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes that run, those inside functions too."""
    for node in ast.iter_child_nodes(tree):
        if _is_type_checking(node):
            continue
        yield node
        yield from _nodes(node)


def imports_of(file: str, source: str) -> Iterator[Import]:
    for node in _nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute here"
            yield Import(file, node.lineno, str(node.module))


def _all() -> list[Import]:
    found: list[Import] = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            found += imports_of(file, path.read_text(encoding="utf-8"))
    return found


IMPORTS = _all()


def _covers(places: tuple[str, ...], file: str) -> bool:
    return any(file == place or (place.endswith("/") and file.startswith(place)) for place in places)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_is_imported_only_where_it_belongs(package: str) -> None:
    users = [i for i in IMPORTS if i.module.partition(".")[0] == package]
    wrong = [str(i) for i in users if not _covers(MAY_IMPORT[package], i.file)]
    assert not wrong


@pytest.mark.parametrize("package", [p for p, places in MAY_IMPORT.items() if places])
def test_no_permission_is_left_over(package: str) -> None:
    """A list of exceptions that nobody needs any more would let the next one in unseen."""
    users = {i.file for i in IMPORTS if i.module.partition(".")[0] == package}
    unused = [place for place in MAY_IMPORT[package] if not any(_covers((place,), file) for file in users)]
    assert not unused


@pytest.mark.parametrize("place", PURE)
def test_what_decides_has_no_clock_thread_or_socket(place: str) -> None:
    wrong = [str(i) for i in IMPORTS if _covers((place,), i.file) and i.module.partition(".")[0] in PURE[place]]
    assert not wrong


def test_the_parser_sees_imports_in_functions_and_not_those_for_types() -> None:
    source = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import rich
def work():
    try:
        import zmq.auth
    finally:
        from torch import nn
"""
    assert [i.module for i in imports_of("x.py", source)] == ["typing", "zmq.auth", "torch"]


def _python(program: str) -> dict[str, object]:
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True, cwd=ROOT
    )
    answer: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    return answer


def test_the_command_line_and_its_help_load_nothing_heavy() -> None:
    found = _python(f"""
import json, sys
import monitor.entry
imported = [m for m in {HEAVY!r} if m in sys.modules]
status = [monitor.entry.run_cli(words) for words in (["--help"], ["replay", "--help"], ["--version"])]
# typer itself loads pydantic once it reads a command line.
helped = [m for m in {HEAVY!r} if m in sys.modules and m != "pydantic"]
print(json.dumps(dict(imported=imported, helped=helped, status=status)))
""")
    assert found == {"imported": [], "helped": [], "status": [0, 0, 0]}


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
