"""`monitor --device mic1` on a virtual microphone that hears speech: the latency that its heartbeats tell."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import soundfile

from benchmarks.common import log, voice, without_settings
from benchmarks.received import Received, receive
from model.config import SAMPLE_RATE

START_S = 30.0
"""Of the monitor, while the microphone already plays."""


def _virtual_mic() -> ModuleType:
    path = Path(__file__).parents[1] / "tests" / "virtual_mic.py"
    spec = importlib.util.spec_from_file_location("virtual_mic", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def on_microphone(seconds: float, weights: str, address: str, folder: Path) -> dict[str, Any] | None:
    """Watch the microphone for so long. None where there is no PulseAudio; raises MonitorError when the monitor fails.

    The sound server's own delay is not in it: the clock starts when PortAudio hands a block over.
    """
    virtual = _virtual_mic()
    if missing := virtual.missing() or ("" if seconds > 0 else "no time for it"):
        log(f"no virtual microphone: {missing}")
        return None
    speech = folder / "speech.wav"
    soundfile.write(speech, voice(seconds + START_S), SAMPLE_RATE, subtype="PCM_16")
    server = virtual.VirtualMicrophones(folder / "pulse")
    log(f"on a virtual microphone for {seconds:.0f} s")
    try:
        server.start()
        player = server.play("mic1", speech)
        try:
            command = [sys.executable, "-m", "monitor", "--device", "mic1", "--publish", address, "--screen", "full"]
            command += [] if weights == "default" else ["--weights", str(Path(weights).resolve())]
            env = without_settings(server.env)
            found = receive(command, address, seconds, env, folder / "microphone.log", lambda _: None)
        finally:
            player.kill()
            player.wait()
    finally:
        server.stop()
    return _values(found)


def _values(found: Received) -> dict[str, Any]:
    def last(key: str) -> float:
        values = [float(str(data[key])) for _, data in found.beats if key in data]
        return round(float(np.median(values[-10:])), 2)

    return {
        "p50_ms": last("latency_p50_ms"),
        "p99_ms": last("latency_p99_ms"),
        "lost_s": last("lost_s"),
        "scores": len(found.scores),
    }
