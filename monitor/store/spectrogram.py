"""A spectrogram as a PNG of two numpy calls and zlib, so that no plotting library is loaded beside the scoring.

Left to right the time, bottom to top 0 to 8 kHz, dark to bright -90 to -20 dB of full scale. Silence is black.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from monitor.store.audio_history import FULL_SCALE, Samples

WINDOW = 512
WIDEST = 1200
DARKEST_DB, BRIGHTEST_DB = -90.0, -20.0
_STOPS = np.array(
    [(0, 0, 4), (40, 11, 84), (101, 21, 110), (159, 42, 99), (212, 72, 66), (245, 125, 21), (252, 255, 164)]
)
"""The colour map "inferno" (Smith and van der Walt, 2015, public domain) at seven places."""


def spectrogram(samples: Samples) -> NDArray[np.uint8]:
    """Return (WINDOW // 2, columns) of 0 to 255, the highest frequency first; at most WIDEST columns."""
    if len(samples) < WINDOW:
        samples = np.pad(samples, (0, WINDOW - len(samples)))
    hop = max(WINDOW // 4, -(-(len(samples) - WINDOW) // (WIDEST - 1)))
    frames = sliding_window_view(samples, WINDOW)[::hop] / np.float32(FULL_SCALE) * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames)[:, 1:]) ** 2 / (WINDOW / 4) ** 2
    level = (10 * np.log10(power + 1e-12) - DARKEST_DB) / (BRIGHTEST_DB - DARKEST_DB)
    shades: NDArray[np.uint8] = (np.clip(level, 0, 1) * 255).astype(np.uint8)
    return shades.T[::-1]


def palette() -> NDArray[np.uint8]:
    """Return 256 colours (256, 3)."""
    places = np.linspace(0, 255, len(_STOPS))
    colours: Any = [np.interp(np.arange(256), places, _STOPS[:, i]) for i in range(3)]
    return np.stack(colours, axis=1).astype(np.uint8)


def png(shades: NDArray[np.uint8]) -> bytes:
    """Return a PNG with a palette (ISO/IEC 15948, colour type 3)."""
    height, width = shades.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), shades], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette().tobytes()), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
