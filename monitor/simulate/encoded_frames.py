"""Audio as the peers of the taps send it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from model.resample import resample_all
from monitor.audio import Audio
from monitor.errors import BadInputError
from monitor.rtp.encode import companded, integers
from monitor.types import SAMPLE_RATE


def linear(samples: Audio) -> bytes:
    """Encode 16-bit, little-endian; channels interleaved where there are several: (n, channels)."""
    return integers(samples).astype("<i2").tobytes()


CODECS: Mapping[str, tuple[Callable[[], Callable[[Audio], bytes]], int]] = {
    "PCMU": (lambda: companded("PCMU"), 1),
    "PCMA": (lambda: companded("PCMA"), 1),
    "L16": (lambda: linear, 2),
}
"""Encoder, and bytes of a sample, by name."""


def encoder(codec: str) -> Callable[[Audio], bytes]:
    """Return the encoder of a codec. Raises BadInputError."""
    if codec not in CODECS:
        raise BadInputError(f"--with codec={codec}: there is no such codec", f"choose from {', '.join(CODECS)}")
    return CODECS[codec][0]()


Parties = Literal["apart", "interleaved", "mixed"]


class EncodedFrames:
    """The frames of a recording. The calls of one run play the same one, so it is encoded once."""

    def __init__(self) -> None:
        self._key: tuple[int, str, int] | None = None
        self._frames: list[list[bytes]] = []

    def frames(self, audio: Audio, codec: str, rate: int, frame_s: float, parties: Parties) -> list[list[bytes]]:
        """Encode float32 (parties, n) at SAMPLE_RATE: frames of each party, or of all in one. Raises BadInputError."""
        key = (id(audio), codec, rate)
        if key != self._key:
            rows = audio.mean(0)[None] if parties == "mixed" else audio
            rows = np.stack([resample_all(row, SAMPLE_RATE, rate) for row in rows])
            size, encode = round(rate * frame_s), encoder(codec)
            each = [rows.T] if parties == "interleaved" and len(rows) > 1 else list(rows)
            self._frames = [[encode(part[at : at + size]) for at in range(0, rows.shape[1], size)] for part in each]
            self._key = key
        return self._frames


def read_rate(text: str) -> int:
    """Return Hz, 8000 to 48 000. Raises BadInputError."""
    if not (text.isascii() and text.isdigit() and 8000 <= int(text[:6]) <= 48_000):
        raise BadInputError(f"--with rate={text} is not a sample rate", "write for instance --with rate=16000")
    return int(text)
