"""Asks PulseAudio (or PipeWire in its place) about captures and outputs: true sources, rates and channels.

PortAudio sees none of it: behind ALSA's plug-in every device offers 32 channels and any rate, and when a source
vanishes the server moves the capture to another one without a word.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 2.0
"""Asked in threads that nobody waits for; a server that hangs never answers."""
_SPECIFICATION = re.compile(r"\S+ (\d+)ch (\d+)Hz")


@dataclass(frozen=True, slots=True)
class PulseSource:
    """rate: Hz."""

    name: str
    rate: int
    channels: int


def captures(process: int) -> dict[int, int]:
    """Return captures of a process: {index of the capture: index of its source}. Empty where nothing can be said."""
    return {
        int(c["index"]): int(c["source"])
        for c in _list("source-outputs")
        if c.get("properties", {}).get("application.process.id") == str(process)
    }


def source(index: int) -> PulseSource | None:
    """Return the source of that index. None where nothing can be said."""
    return next((_source(s) for s in _list("sources") if s.get("index") == index), None)


def monitors() -> list[PulseSource]:
    """Return the sources that give what each output plays. Empty where nothing can be said."""
    found = (_source(s) for s in _list("sources") if s.get("monitor_source"))
    return [s for s in found if s is not None]


def default_sink() -> str:
    """Return the name of the default output, or ""."""
    return _ask("get-default-sink").decode(errors="replace").strip()


def monitor_of(sink: str) -> PulseSource | None:
    """Return the source that gives what an output plays. None where nothing can be said."""
    return next((_source(s) for s in _list("sources") if sink and s.get("monitor_source") == sink), None)


def _source(entry: Mapping[str, Any]) -> PulseSource | None:
    match = _SPECIFICATION.fullmatch(entry.get("sample_specification", ""))
    return None if match is None else PulseSource(str(entry["name"]), int(match[2]), int(match[1]))


def _list(what: str) -> list[dict[str, Any]]:
    """Return pactl's list of one kind, empty where there is no pactl, no server, or an older one without JSON."""
    try:
        found = json.loads(_ask("--format=json", "list", what))
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _ask(*words: str) -> bytes:
    """Return the answer of pactl; b"" without pactl or without a server."""
    program = shutil.which("pactl")
    if program is None:
        return b""
    environment = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(
            [program, *words],
            capture_output=True,
            timeout=TIMEOUT_S,
            env=environment,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (subprocess.SubprocessError, OSError):
        return b""
    return done.stdout
