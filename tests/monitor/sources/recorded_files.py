"""Recordings for tests, and what their source gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf

from monitor.sources.recording import FileSource
from monitor.types import Condition


def tone(rate: int, seconds: float, channels: int = 1) -> np.ndarray:
    """float32 (n, channels), another pitch in each channel."""
    t = np.arange(round(rate * seconds)) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * 300 * (c + 1) * t) for c in range(channels)], axis=1).astype(np.float32)


def write(path: Path, rate: int = 16_000, seconds: float = 1.0, channels: int = 1) -> Path:
    sf.write(path, tone(rate, seconds, channels), rate)
    return path


def play(source: FileSource) -> tuple[np.ndarray, list[Condition]]:
    """All samples, and the conditions; checks that no chunk overlaps or jumps."""
    pieces, conditions, end = [np.zeros((len(source.channels), 0), np.float32)], [], 0
    for item in source.chunks():
        if isinstance(item, Condition):
            conditions.append(item)
            continue
        assert item.start == end
        assert item.samples.dtype == np.float32
        assert item.captured_at == 0.0
        end += item.samples.shape[1]
        pieces.append(item.samples)
    return np.concatenate(pieces, axis=1), conditions
