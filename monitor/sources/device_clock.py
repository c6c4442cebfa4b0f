"""Makes chunks on the source's clock from the blocks of one capture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from model.resample import StreamResampler
from monitor.audio import Chunk
from monitor.sources.device_stream import CapturedBlock
from monitor.sources.stall_detection import ArrivalClock
from monitor.types import SAMPLE_RATE


class ClockedResampler:
    """Resamples, and moves its position over what was lost. position: index of the next sample, at SAMPLE_RATE.

    mix: the channels of the device become their mean.
    """

    def __init__(self, rate: int, channels: int, position: int, *, mix: bool = False) -> None:
        self.position = position
        self.end_time = 0.0
        """When the last block arrived, monotonic seconds."""
        self._rate, self._channels, self._mix = rate, channels, mix
        self._resampler = StreamResampler(rate, channels)
        self._clock = ArrivalClock(rate)
        self._frames: int | None = None
        self._held: list[CapturedBlock] = []
        self._holding = False
        self._resting = False

    def hold(self) -> None:
        """Keep what comes after a stall until it is known whether the gap was lost or arrives in a burst."""
        if not self._holding:
            self._holding = True
            self._clock.new_window()

    @property
    def holding(self) -> bool:
        return self._holding

    def add(self, block: CapturedBlock) -> Iterator[Chunk]:
        frames = len(block.samples)
        if self._resting:
            yield from self.rest(block.arrived - frames / self._rate)
            self._resting = False
        dropped = 0 if self._frames is None else block.position - self._frames
        self._frames = block.position + frames
        self.end_time = block.arrived
        if dropped:
            yield from self._jump(dropped / self._rate)
        missing = self._clock.add(dropped + frames, block.arrived)
        self._held.append(block)
        if self._holding and missing is None:
            return
        self._holding = False
        blocks, self._held = self._held, []
        if missing:
            yield from self._jump(missing)
        for ready in blocks:
            yield from self._convert(ready)

    def rest(self, until: float) -> Iterator[Chunk]:
        """Yield silence from the last block to that time, of a device that gives nothing while nothing is played."""
        frames = round((until - self.end_time) * self._rate)
        self._resting = True
        if not self.end_time:
            self.end_time = until
        elif frames > 0:
            self.end_time = until
            self._clock.add(frames, until)
            yield from self._convert(CapturedBlock(np.zeros((frames, self._channels), np.float32), 0, until, 0.0))

    def finish(self) -> Iterator[Chunk]:
        """Yield the audio that is still held, here and in the resampler."""
        blocks, self._held = self._held, []
        for block in blocks:
            yield from self._convert(block)
        yield from self._drain()

    def _drain(self) -> Iterator[Chunk]:
        rest = self._resampler.push(np.zeros((self._channels, 0), np.float32), last=True)
        if rest.shape[1]:
            yield Chunk(rest, self.position, self.end_time)
            self.position += rest.shape[1]

    def _jump(self, seconds: float) -> Iterator[Chunk]:
        yield from self._drain()
        self.position += round(seconds * SAMPLE_RATE)
        self._resampler = StreamResampler(self._rate, self._channels)

    def _convert(self, block: CapturedBlock) -> Iterator[Chunk]:
        rows = block.samples.T
        if self._mix:
            rows = rows.mean(axis=0, keepdims=True)
        if len(rows) < self._channels:  # the device is back with fewer channels
            rows = rows[np.minimum(np.arange(self._channels), len(rows) - 1)]
        samples = self._resampler.push(np.ascontiguousarray(rows))
        if samples.shape[1]:
            captured_at = block.arrived - block.age_s - self._resampler.delay_s
            yield Chunk(samples, self.position, captured_at)
            self.position += samples.shape[1]
