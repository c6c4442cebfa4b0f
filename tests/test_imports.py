"""Who may import what, read from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("model", "monitor", "training")

_PARQUET = ("object_store", "score_cluster", "score_parts", "score_table")

MAY_IMPORT = {
    "torch": ("model/", "training/", "monitor/scoring/torch_scorer.py", "monitor/scoring/opening.py"),
    "onnx": ("model/export/",),
    "onnxruntime": ("monitor/scoring/onnx_network.py",),
    "torchaudio": (),
    "librosa": (),
    "sounddevice": ("monitor/sources/portaudio_devices.py",),
    "zmq": (
        "monitor/sinks/zeromq.py",
        "monitor/delivery/keys.py",
        "monitor/delivery/subscriber_sockets.py",
        "monitor/delivery/bind_addresses.py",
        "monitor/delivery/publisher_sockets.py",
        "monitor/delivery/connection_guard.py",
        "monitor/delivery/socket_events.py",
    ),
    "rich": ("monitor/dashboard/",),
    "typer": ("monitor/cli/", "training/cli/"),
    "av": (
        "model/resample.py",
        "monitor/sources/av_duration.py",
        "monitor/sources/av_parts.py",
        "monitor/sources/av_reader.py",
        "monitor/sources/sound_track.py",
        "monitor/rtp/codecs.py",
        "monitor/rtp/encode.py",
        "training/",
    ),
    "prometheus_client": ("monitor/sinks/metrics.py",),
    "paho": ("monitor/sinks/mqtt.py",),
    "dpkt": (),
    "c2pa": ("monitor/provenance/credentials.py",),
    "perth": ("monitor/provenance/watermark.py",),
    "fastapi": ("monitor/api/",),
    "python_multipart": ("monitor/api/upload.py",),
    "starlette": ("monitor/api/", "monitor/web/"),
    "uvicorn": ("monitor/web/",),
    "websockets": (
        "monitor/taps/websocket/closing.py",
        "monitor/taps/websocket/listener.py",
        "monitor/simulate/websocket.py",
    ),
    "monitor": ("monitor/", "training/cli/"),
    "training": ("training/",),
    "model": ("model/", "monitor/", "training/"),
    "benchmarks": (),
    "chaos": (),
    "pyarrow": tuple(f"monitor/session/{name}.py" for name in _PARQUET),
    "fsspec": ("monitor/session/object_store.py",),
    "ray": ("monitor/cluster/", "monitor/session/score_cluster.py"),
    "pickle": (),
    "tests": (),
}
"""Files, or folders with a slash, that may import a package; all else may not. sounddevice: it lists the devices and
hands the module to the microphone's backend, so that the line that installs PortAudio stands in one place. torchaudio
and librosa: references of tests, too slow to load for a program."""

OUTSIDE = ("threading", "time", "datetime", "socket", "os", "asyncio", "subprocess", "zmq", "websockets")
"""Clocks, threads, sockets and the file system."""

VALUES = {"advice", "audio", "call_names", "errors", "scores", "types", "views"}
"""Files beside the rooms that hold values."""

PURE = (
    "monitor/captures/",
    "monitor/rtp/",
    "monitor/taps/audiohook/",
    *(
        f"monitor/taps/websocket/{name}.py"
        for name in (
            *("access", "dialects", "formats", "handler", "limits", "untrusted_json"),
            *("pbx", "pcm", "peer", "signatures", "track", "twilio_media_streams"),
        )
    ),
    *(f"monitor/engine/{name}.py" for name in ("decision", "evidence", "event_data", "operating_point")),
    *(f"monitor/events/{name}.py" for name in ("cloudevents", "redaction")),
    *(
        f"monitor/delivery/{name}.py"
        for name in ("answer_timeout", "catch_up", "gaps", "recent_events", "requests", "topics", "zap")
    ),
    *(f"monitor/journal/{name}.py" for name in ("chain", "journal_verifier")),
    *(
        f"monitor/sinks/{name}.py"
        for name in ("channel_states", "mqtt_state", "selection", "syslog_message", "webhook_signature")
    ),
    *(f"monitor/store/{name}.py" for name in ("audio_history", "clip")),
    *(f"monitor/call_history/{name}.py" for name in ("kept_channel", "score_timeline")),
    *(f"monitor/report/{name}.py" for name in ("charts", "page")),
    *(f"monitor/web/{name}.py" for name in ("browser_microphone", "snapshot")),
    "monitor/limits/rate_limit.py",
    "monitor/dashboard/render.py",
)
"""What decides, computes or draws: files, or folders with a slash, that import nothing of OUTSIDE."""

PURE_WITH_DATES = (
    "monitor/call_history/kept_call.py",
    "monitor/report/call_records.py",
    *(f"monitor/sinks/{name}.py" for name in ("bodies", "ocsf", "retry")),
)
"""Likewise, but they read and write dates that their caller gives them."""


@dataclass(frozen=True)
class Import:
    """module: dotted, down to the file where it is one of ours. path: that file from ROOT, or "" for other packages."""

    file: str
    line: int
    module: str

    @property
    def path(self) -> str:
        return file_of(self.module)

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


@cache
def file_of(module: str) -> str:
    """The file of a module of ours, from ROOT, or ""."""
    stem = module.replace(".", "/")
    return next((path for path in (f"{stem}.py", f"{stem}/__init__.py") if (ROOT / path).is_file()), "")


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements that run, in order, those inside functions too."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        inner = [part for _, part in ast.iter_fields(node) if isinstance(part, list)]
        below = (n for part in inner for n in part if isinstance(n, ast.stmt | ast.excepthandler | ast.match_case))
        waiting += reversed([n for n in below if not _is_type_checking(n)])


def imports_of(file: str, source: str) -> Iterator[Import]:
    for node in _statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute here"
            whole = [Import(file, node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
            yield from (i if i.path else Import(file, i.line, str(node.module)) for i in whole)


def room(file: str) -> str:
    top, below = file.split("/")[:2]
    return top if top == "model" else f"{top}/{below.removesuffix('.py')}"


def circle(arrows: set[tuple[str, str]]) -> list[str]:
    """The nodes that are left once those are taken away, again and again, that nothing leaves or nothing enters."""
    while arrows:
        inner = {a for a, _ in arrows} & {b for _, b in arrows}
        left = {(a, b) for a, b in arrows if a in inner and b in inner}
        if left == arrows:
            return sorted(inner)
        arrows = left
    return []


@cache
def all_imports() -> list[Import]:
    found: list[Import] = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            found += imports_of(file, path.read_text(encoding="utf-8"))
    return found


def _covers(places: tuple[str, ...], file: str) -> bool:
    return any(file == place or (place.endswith("/") and file.startswith(place)) for place in places)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_is_imported_only_where_it_belongs(package: str) -> None:
    users = [i for i in all_imports() if i.module.partition(".")[0] == package]
    wrong = [str(i) for i in users if not _covers(MAY_IMPORT[package], i.file)]
    assert not wrong


@pytest.mark.parametrize("package", [p for p, places in MAY_IMPORT.items() if places])
def test_no_permission_is_left_over(package: str) -> None:
    """A list of exceptions that nobody needs any more would let the next one in unseen."""
    users = {i.file for i in all_imports() if i.module.partition(".")[0] == package}
    unused = [place for place in MAY_IMPORT[package] if not any(_covers((place,), file) for file in users)]
    assert not unused


def _outside(places: tuple[str, ...], forbidden: tuple[str, ...]) -> list[str]:
    return [str(i) for i in all_imports() if _covers(places, i.file) and i.module.partition(".")[0] in forbidden]


@pytest.mark.parametrize("place", PURE)
def test_what_decides_has_no_clock_thread_or_socket(place: str) -> None:
    assert any(_covers((place,), i.file) for i in all_imports()), f"there is no {place}"
    assert not _outside((place,), OUTSIDE)


def test_what_writes_dates_has_no_clock_thread_or_socket() -> None:
    assert not _outside(PURE_WITH_DATES, tuple(name for name in OUTSIDE if name != "datetime"))


def test_the_model_has_no_clock_thread_or_socket() -> None:
    forbidden = ("threading", "time", "socket", "subprocess", "asyncio", "multiprocessing", "signal")
    assert not _outside(("model/",), forbidden)


def test_rooms_import_each_other_in_no_circle() -> None:
    """A room is the first folder or file below monitor/ and below training/; model/ is one room."""
    arrows = {(room(i.file), room(i.path)) for i in all_imports() if i.path}
    assert not circle({(a, b) for a, b in arrows if a != b})


def test_architecture_says_which_rooms_a_room_imports() -> None:
    """Its table; "values" stands for the files of values beside the rooms, "all" for any room."""
    table = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `((?:monitor|training)/\w+)/` \|.*\| ([^|]*) \|$", table, re.MULTILINE)
    assert len(rows) > 20
    for name, result in rows:
        found = {
            room(i.path).rpartition("/")[2] for i in all_imports() if i.path and room(i.file) == name != room(i.path)
        }
        words = set(re.findall(r"\w+", result))
        values = VALUES if "values" in words else set()
        assert "all" in words or found - values == words - {"and", "values"}, name


def test_a_circle_is_found() -> None:
    assert circle({("a", "b"), ("b", "c"), ("d", "a")}) == []
    assert circle({("a", "b"), ("b", "c"), ("c", "b"), ("d", "a")}) == ["b", "c"]


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


def test_the_parser_names_the_file_that_an_import_reads() -> None:
    found = list(imports_of("x.py", "from monitor.events import wire\nfrom monitor.events.wire import encode"))
    assert [i.path for i in found] == ["monitor/events/wire.py"] * 2
