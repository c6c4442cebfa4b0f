"""Samples as they are: WAV with PCM, floating point or G.711 inside, and audio without a header."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Audio
from monitor.errors import BadInputError
from monitor.rtp.codecs import open_decoder
from monitor.rtp.payload import PayloadFormat
from monitor.sources.reader import FRAMES, channel_names, ended_early
from monitor.sources.riff import A_LAW, FLOAT, MU_LAW, PCM, WaveHeader
from monitor.types import Condition

Bytes = NDArray[np.uint8]
LEAST_MISSED_S = 0.01
"""A file that ends sooner than it announces by less is whole: writers round."""


def _integers(kind: str, scale: float) -> Callable[[Bytes], Audio]:
    return lambda data: np.asarray(data.view(kind).astype(np.float32) / np.float32(scale), np.float32)


def _three(order: str) -> Callable[[Bytes], Audio]:
    def convert(data: Bytes) -> Audio:
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = data.reshape(-1, 3) if order == "<" else data.reshape(-1, 3)[:, ::-1]
        return np.asarray((padded.view("<i4")[:, 0] >> 8).astype(np.float32) / np.float32(1 << 23), np.float32)

    return convert


def _companded(encoding: str) -> Callable[[Bytes], Audio]:
    return lambda data: open_decoder(PayloadFormat(encoding, 8000)).decode(data.tobytes())


SAMPLES: Mapping[str, tuple[int, Callable[[Bytes], Audio]]] = {
    "mulaw": (1, _companded("PCMU")),
    "alaw": (1, _companded("PCMA")),
    "u8": (1, lambda data: (data.astype(np.float32) - 128) / np.float32(128)),
    "s8": (1, _integers("i1", 1 << 7)),
    "s16le": (2, _integers("<i2", 1 << 15)),
    "s16be": (2, _integers(">i2", 1 << 15)),
    "s24le": (3, _three("<")),
    "s24be": (3, _three(">")),
    "s32le": (4, _integers("<i4", 1 << 31)),
    "s32be": (4, _integers(">i4", 1 << 31)),
    "f32le": (4, _integers("<f4", 1)),
    "f32be": (4, _integers(">f4", 1)),
    "f64le": (8, _integers("<f8", 1)),
    "f64be": (8, _integers(">f8", 1)),
}
"""Name to bytes of a sample, and what makes float32 of them. Not finite: it goes on as it is."""
_WAVE: Mapping[tuple[int, int], str] = {
    (PCM, 8): "u8",
    (PCM, 16): "s16le",
    (PCM, 24): "s24le",
    (PCM, 32): "s32le",
    (FLOAT, 32): "f32le",
    (FLOAT, 64): "f64le",
    (A_LAW, 8): "alaw",
    (MU_LAW, 8): "mulaw",
}


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """sample: a name of SAMPLES. rate: Hz."""

    sample: str
    rate: int
    channels: int = 1


@dataclass(frozen=True, slots=True)
class SampleBytes:
    """The place of the samples in a file: from begin to end. announced: bytes of them by the header, None where it does
    not say. ignored: the header says less than there is.
    """

    form: PcmFormat
    begin: int
    end: int
    announced: int | None
    ignored: bool = False


def wave_format(wave: WaveHeader) -> PcmFormat | None:
    """Return the samples of a WAV file; None for a codec that is not of this file."""
    sample = _WAVE.get((wave.tag, 8 * wave.align // wave.channels)) if wave.channels else None
    if sample is not None and wave.big:
        sample = sample.replace("le", "be")
    return PcmFormat(sample, wave.rate, wave.channels) if sample is not None and wave.rate else None


class PcmReader:
    """Samples of a file. parts: where they are, each as its first byte and the byte behind the last; None = all of it.
    announced: bytes that there should be, None for all there are.

    Raises BadInputError for a file without a whole sample.
    """

    def __init__(
        self,
        path: Path,
        form: PcmFormat,
        parts: Sequence[tuple[int, int]] | None = None,
        announced: int | None = None,
    ) -> None:
        width, self._convert = SAMPLES[form.sample]
        self._frame, self.rate = width * form.channels, form.rate
        self.names = channel_names(form.channels)
        self.notes: list[Condition] = []
        self.complaints: list[Condition] = []
        parts = [(0, path.stat().st_size)] if parts is None else parts
        self._parts = [(begin, max(0, end - begin) // self._frame * self._frame) for begin, end in parts]
        whole = sum(size for _, size in self._parts)
        if not whole:
            raise BadInputError(f"{path} holds no samples", "record it again, or name another file")
        self.total_s: float | None = whole / self._frame / form.rate
        missed_s = 0.0 if announced is None else announced / self._frame / form.rate - self.total_s
        self._early = ended_early(self.total_s, self.total_s + missed_s) if missed_s > LEAST_MISSED_S else None
        self._file = path.open("rb")

    def blocks(self) -> Iterator[Audio]:
        """Yield the samples, float32 (channels, n)."""
        for begin, size in self._parts:
            self._file.seek(begin)
            for at in range(0, size, FRAMES * self._frame):
                data = self._file.read(min(size - at, FRAMES * self._frame))
                whole = len(data) // self._frame * self._frame
                if not whole:
                    break
                samples = self._convert(np.frombuffer(data[:whole], np.uint8))
                yield np.ascontiguousarray(samples.reshape(-1, len(self.names)).T)
        if self._early is not None:
            self.complaints.append(self._early)

    def close(self) -> None:
        self._file.close()
