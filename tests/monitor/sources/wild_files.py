"""Recordings as programs leave them, made by hand or by FFmpeg, and what is heard of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from monitor.audio import Audio, Chunk
from monitor.sources.recording import FileSource
from monitor.types import Condition

RATE, SECONDS = 8000, 12.0


def voice(rate: int = RATE, seconds: float = SECONDS, pitch: float = 300.0) -> Audio:
    t = np.arange(round(rate * seconds)) / rate
    return (0.3 * np.sin(2 * np.pi * pitch * t) * (0.6 + 0.4 * np.sin(2 * np.pi * 2.7 * t))).astype(np.float32)


def play(path: Path, **options: object) -> tuple[FileSource, Audio, list[Condition]]:
    source = FileSource(path, **options)
    items = list(source.chunks())
    samples = [item.samples for item in items if isinstance(item, Chunk)]
    return source, np.concatenate(samples, axis=1), [item for item in items if isinstance(item, Condition)]


def pitches(samples: Audio) -> list[int]:
    """The strongest frequency of each channel, Hz, in the last second but one."""
    piece = samples[:, -32_000:-16_000]
    return [int(np.argmax(np.abs(np.fft.rfft(row)))) for row in piece]


def ffmpeg(*words: str | Path, data: bytes = b"", cat: Path | None = None) -> None:
    """Run ffmpeg; cat: take what it writes to its standard output, which is a pipe."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    command = ["ffmpeg", "-v", "error", "-nostdin" if not data else "-y", "-y", *map(str, words)]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=120)
    if done.returncode:
        pytest.skip(f"ffmpeg cannot: {done.stderr.decode().strip()[-200:]}")
    if cat is not None:
        cat.write_bytes(done.stdout)


def wav(path: Path, rate: int = RATE, seconds: float = SECONDS) -> Path:
    sf.write(path, voice(rate, seconds), rate, subtype="PCM_16")
    return path
