"""Any sample rate to 16 kHz, with state carried from block to block.

libswresample (through PyAV) filters in the time domain: its delay is constant, half the length of its filter (4.2 ms
from 48 kHz, 8.4 ms from 8 kHz), and a sample comes out the same however the audio was split. A
resampler that works in FFT blocks, such as soxr, holds audio back in bursts: measured up to 37 ms from 48 kHz and
116 ms from 8 kHz at its high quality.

The rate of telephones is doubled by the same filter in numpy, which costs a fifth for packets of 20 ms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from model.config import SAMPLE_RATE

if TYPE_CHECKING:
    from av import AudioFrame
    from av.filter.context import FilterContext

MIN_RATE = 4_000
MAX_RATE = 768_000
"""Hz. Rates that can be resampled."""

_TAPS = 128
_CUTOFF = 0.96
_KAISER_BETA = 9
_LONGEST_PUSH = 65_536
"""Input samples given to libswresample at once; bounds its memory."""


class _ChannelFilter:
    """The filter graph of one channel: abuffer -> aresample -> abuffersink."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        from av.filter import Graph

        # aresample's cutoff is relative to the output: scaled, it also removes the images that upsampling makes.
        cutoff = _CUTOFF * min(1.0, rate_in / rate_out)
        options = f"filter_size={_TAPS}:filter_type=kaiser:kaiser_beta={_KAISER_BETA}:cutoff={cutoff}:exact_rational=1"
        self._rate = rate_in
        self._graph = Graph()
        # Else each graph starts a thread for every core, at 9 ms on a busy machine, for nothing.
        self._graph.threads = 1
        self._into: FilterContext = self._graph.add_abuffer(
            sample_rate=rate_in, format="fltp", layout="mono", time_base=Fraction(1, rate_in)
        )
        resample = self._graph.add("aresample", f"{rate_out}:{options}")
        self._out_of: FilterContext = self._graph.add("abuffersink")
        self._into.link_to(resample)
        resample.link_to(self._out_of)
        self._graph.configure()

    def push(self, samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        from av import AudioFrame

        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
        frame.sample_rate = self._rate
        self._into.push(frame)
        try:  # aresample makes one frame of one
            return [cast("AudioFrame", self._out_of.pull()).to_ndarray().astype(np.float32, copy=False)[0]]
        except BlockingIOError:
            return []

    def flush(self, padding: int) -> list[NDArray[np.float32]]:
        # Without zeros behind it, audio shorter than the filter would not come out at all.
        pieces = self.push(np.zeros(padding, np.float32))
        self._into.push(None)
        return pieces + self._pull()

    def _pull(self) -> list[NDArray[np.float32]]:
        pieces: list[NDArray[np.float32]] = []
        while True:
            try:
                frame = cast("AudioFrame", self._out_of.pull())
            except (BlockingIOError, EOFError):
                return pieces
            pieces.append(frame.to_ndarray().astype(np.float32, copy=False)[0])


class _DoublingFilter:
    """One channel at twice its rate. Each sample is one scalar product of its own, whatever it came together with."""

    def __init__(self) -> None:
        self.held = np.zeros(0, np.float32)
        """Samples that the next one is made of, too; as many as the filter has, less one, once it has begun."""
        self.begun = False

    def push(self, samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        held, before = np.concatenate([self.held, samples]), _taps(1, 2) // 2 - 1
        if not self.begun and len(held) > before:
            # What was before the beginning is taken to be its mirror image, as libswresample does.
            held, self.begun = np.concatenate([held[before:0:-1], held]), True
        count = len(held) - _taps(1, 2) + 1
        if not self.begun or count < 1:
            self.held = held
            return []
        self.held = held[count:].copy()
        return [_doubled(held)]

    def flush(self, padding: int) -> list[NDArray[np.float32]]:
        return self.push(np.zeros(padding, np.float32))


def _doubled(held: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return two samples for each but the last of these that the filter is too long for."""
    even, odd = _doubling_phases()
    out = np.empty((len(held) - len(even) + 1, 2), np.float32)
    out[:, 0], out[:, 1] = np.correlate(held, even, "valid"), np.correlate(held, odd, "valid")
    return out.ravel()


@cache
def _doubling_phases() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the filter of samples in the place of one of the input, and of those half-way to the next one."""
    taps = _taps(1, 2)
    place = np.arange(taps) - (taps // 2 - 1)
    even, odd = (
        np.sinc(_CUTOFF * x) * np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (2.0 * x / taps) ** 2)))
        for x in (place, place - 0.5)
    )
    return (even / even.sum()).astype(np.float32), (odd / odd.sum()).astype(np.float32)


def _taps(rate_in: int, rate_out: int) -> int:
    """Return the filter's length in input samples: libswresample stretches it to the cutoff."""
    return 2 * math.ceil(_TAPS / (_CUTOFF * min(1.0, rate_out / rate_in)) / 2 - 1e-9)


def _filter(rate_in: int, rate_out: int) -> _ChannelFilter | _DoublingFilter:
    return _DoublingFilter() if rate_out == 2 * rate_in else _ChannelFilter(rate_in, rate_out)


class StreamResampler:
    """Resamples audio that arrives in pieces; equal rates pass it through bit for bit.

    The output does not depend on how the input was split, not in one bit. Pass band to 0.92 of the lower Nyquist
    frequency (-0.03 dB), stop band below -96 dB from 1.03 of it. A sample that is not finite spoils only the
    outputs within delay_s of it.

    rate_in: Hz, MIN_RATE to MAX_RATE. Raises ValueError for another rate or for no channels.
    """

    def __init__(self, rate_in: int, channels: int, rate_out: int = SAMPLE_RATE) -> None:
        for rate in (rate_in, rate_out):
            if not MIN_RATE <= rate <= MAX_RATE:
                raise ValueError(f"a sample rate of {rate} Hz is outside {MIN_RATE} to {MAX_RATE} Hz")
        if channels < 1:
            raise ValueError("audio needs at least one channel")
        self.rate_in, self.rate_out, self.channels = int(rate_in), int(rate_out), channels
        same = self.rate_in == self.rate_out
        self.delay_s = 0.0 if same else _taps(self.rate_in, self.rate_out) / 2 / self.rate_in
        self.filters = [] if same else [_filter(self.rate_in, self.rate_out) for _ in range(channels)]
        self._padding = 2 * _TAPS * max(1, -(-self.rate_in // self.rate_out))
        self._taken = self._given = 0
        self._ended = False

    def push(self, samples: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """Return what is ready: float32 (channels, m).

        samples: float32 (channels, n), n may be 0. last: nothing follows; the rest comes out, so that n samples in
        all have become ceil(n * rate_out / rate_in), and the resampler is done. Raises ValueError for another shape,
        or after the last push.
        """
        if samples.ndim != 2 or samples.shape[0] != self.channels:
            raise ValueError(f"expected ({self.channels}, n) samples, got {samples.shape}")
        if self._ended:
            raise ValueError("nothing may follow the last push")
        self._ended = last
        samples = samples.astype(np.float32, copy=False)
        if not self.filters:
            return samples
        taken = samples.shape[1]
        rows = [self._filtered(f, row, last) for f, row in zip(self.filters, samples, strict=True)]
        out = rows[0][None] if len(rows) == 1 else np.stack(rows)
        if last:
            whole = -(-(self._taken + taken) * self.rate_out // self.rate_in)
            out = out[:, : whole - self._given]
        self.count(taken, out.shape[1])
        return out

    def count(self, taken: int, given: int) -> None:
        """Note samples that came and went."""
        self._taken += taken
        self._given += given

    def _filtered(
        self, channel: _ChannelFilter | _DoublingFilter, row: NDArray[np.float32], last: bool
    ) -> NDArray[np.float32]:
        pieces: list[NDArray[np.float32]] = []
        for i in range(0, row.size, _LONGEST_PUSH):
            pieces += channel.push(row[i : i + _LONGEST_PUSH])
        if last:
            pieces += channel.flush(self._padding)
        return pieces[0] if len(pieces) == 1 else np.concatenate([np.zeros(0, np.float32), *pieces])


def push_together(
    resamplers: Sequence[StreamResampler], samples: NDArray[np.float32], sizes: Sequence[int]
) -> list[NDArray[np.float32]]:
    """Return what push() of each resampler of one channel would, to the bit, each (m,); one operation costs less than
    many. samples: float32 (n,), one piece after the other, of these sizes.
    """
    ends = np.cumsum(sizes).tolist()
    pieces = [samples[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    filters = [each.filters[0] if each.filters else None for each in resamplers]
    together = [f if isinstance(f, _DoublingFilter) and f.begun else None for f in filters]
    parts = [part for f, piece in zip(together, pieces, strict=True) if f is not None for part in (f.held, piece)]
    both, at, kept = np.zeros(0, np.float32), 0, _taps(1, 2) - 1
    if parts:
        joined = np.concatenate(parts)
        both = _doubled(joined)
    out = []
    for resampler, f, piece in zip(resamplers, together, pieces, strict=True):
        if f is None:
            out.append(resampler.push(piece[None])[0])
            continue
        end = at + len(piece)
        out.append(both[2 * at : 2 * end])
        f.held = joined[end : end + kept].copy()
        resampler.count(len(piece), 2 * len(piece))
        at = end + kept
    return out


def resample_all(samples: NDArray[np.float32], rate_in: int, rate_out: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Resample whole audio by the path of live audio: float32 (n,) or (channels, n) in, the same rank out."""
    rows = np.atleast_2d(samples)
    out = StreamResampler(rate_in, rows.shape[0], rate_out).push(rows, last=True)
    return out[0] if samples.ndim == 1 else out
