"""A call of a tap on its way to the engine: the audio of each party at 16 kHz, in its place on the call's clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.resample import StreamResampler
from monitor.audio import Audio, Chunk, all_finite
from monitor.engine.calls import Call
from monitor.taps.tap_events import CallAudio
from monitor.types import SAMPLE_RATE, Condition

LONGEST_HOLE_S = 0.5
"""The rest of a longer hole is skipped: as lost, or as a pause."""
LATE = SAMPLE_RATE // 4
"""Samples; a channel whose audio begins later than its call begins so much later on the clock, too. More than a jitter
buffer holds back while it finds out which packet is the first."""


@dataclass
class RoutedChannel:
    """resampler: None at 16 kHz. next: index, at the call's rate, after the newest sample; None before the first."""

    resampler: StreamResampler | None
    next: int | None = None
    clock: int = 0
    """Index of the next sample at SAMPLE_RATE."""

    @classmethod
    def at_rate(cls, rate: int) -> RoutedChannel:
        """Return a channel without audio yet. Raises ValueError for a rate that nothing is resampled from."""
        return cls(None if rate == SAMPLE_RATE else StreamResampler(rate, 1))


@dataclass
class RoutedCall:
    """rate: of what comes, Hz. started, active: time.monotonic() of its start and of what came last."""

    call: Call
    rate: int
    channels: list[RoutedChannel]
    started: float
    active: float
    peer: str
    paused: bool = False

    def add_audio(self, audio: CallAudio, now: float) -> None:
        """Add audio of one channel, behind what is missing before it."""
        channel = self.channels[audio.channel]
        if channel.next is None:
            channel.next = audio.start
            waited = round((now - self.started) * SAMPLE_RATE)
            channel.clock = max(waited if waited > LATE else 0, round(audio.start * SAMPLE_RATE / self.rate))
        hole = audio.start - channel.next
        samples = audio.samples[max(0, -hole) :]
        if hole > 0:
            samples = self._hole_filled(audio, hole, samples)
        channel.next = max(channel.next, audio.start + len(audio.samples))
        rows = samples[None]
        concealed = None if audio.concealed is None else _last_marks(audio.concealed, len(samples))[None]
        self._push(audio.channel, rows if channel.resampler is None else channel.resampler.push(rows), now, concealed)

    def finish(self, reason: str, now: float) -> None:
        """End the call behind what its resamplers still hold."""
        for i, channel in enumerate(self.channels):
            if channel.resampler is not None and channel.next is not None:
                self._push(i, channel.resampler.push(np.zeros((1, 0), np.float32), last=True), now)
        self.call.finish(reason)

    def report(self, condition: Condition) -> None:
        """Say a condition of the whole call."""
        for feed in self.call.feeds[:1]:
            feed.add_condition(condition)

    def _hole_filled(self, audio: CallAudio, hole: int, samples: Audio) -> Audio:
        """Return the samples behind a hole: silence of a pause, or what was lost; of a long one the clock alone moves
        on.
        """
        fill = min(hole, round(LONGEST_HOLE_S * self.rate))
        rest = round((hole - fill) * SAMPLE_RATE / self.rate)
        if audio.quiet:
            self.call.feeds[audio.channel].ring.skip(rest)
        self.channels[audio.channel].clock += rest
        value = 0.0 if audio.quiet else np.nan
        return np.concatenate([np.full(fill, value, np.float32), samples])

    def _push(self, channel: int, rows: Audio, now: float, concealed: NDArray[np.bool_] | None = None) -> None:
        """Push rows (1, n) at SAMPLE_RATE to the ring; NaN is what was lost."""
        if rows.shape[1]:
            part, feed = self.channels[channel], self.call.feeds[channel]
            lost = None if all_finite(rows) or not (nan := np.isnan(rows)).any() else nan
            feed.ring.push(Chunk(rows, part.clock, now, lost, concealed), wait=False)
            part.clock += rows.shape[1]


def _last_marks(marks: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    """Return the last n marks, none where there are fewer."""
    return np.concatenate([np.zeros(max(0, n - len(marks)), np.bool_), marks[max(0, len(marks) - n) :]])
