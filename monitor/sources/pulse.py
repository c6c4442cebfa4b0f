"""What PulseAudio (or PipeWire in its place) says of a capture: its true source, rate and channels.

PortAudio sees none of it: behind ALSA's plug-in every device offers 32 channels and any rate, and when a source
vanishes the server moves the capture to another one without a word.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 0.3
_SPECIFICATION = re.compile(r"\S+ (\d+)ch (\d+)Hz")


@dataclass(frozen=True, slots=True)
class PulseSource:
    """rate: Hz."""

    name: str
    rate: int
    channels: int


def captures() -> dict[int, int]:
    """Captures of this process: {index of the capture: index of its source}. Empty where nothing can be said."""
    mine = str(os.getpid())
    return {
        int(c["index"]): int(c["source"])
        for c in _list("source-outputs")
        if c.get("properties", {}).get("application.process.id") == mine
    }


def source(index: int) -> PulseSource | None:
    """The source of that index. None where nothing can be said."""
    for entry in _list("sources"):
        match = _SPECIFICATION.fullmatch(entry.get("sample_specification", ""))
        if entry.get("index") == index and match is not None:
            return PulseSource(str(entry["name"]), int(match[2]), int(match[1]))
    return None


def _list(what: str) -> list[dict[str, Any]]:
    """pactl's list of one kind, empty where there is no pactl, no server, or an older one without JSON."""
    program = shutil.which("pactl")
    if program is None:
        return []
    command = [program, "--format=json", "list", what]
    environment = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=TIMEOUT_S, env=environment, check=True, stdin=subprocess.DEVNULL
        )
        found = json.loads(done.stdout)
    except (subprocess.SubprocessError, OSError, ValueError):
        return []
    return found if isinstance(found, list) else []
