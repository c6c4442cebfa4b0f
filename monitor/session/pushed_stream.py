"""Scores audio that a program pushes, in the caller's thread: the same engine as a live call, without its threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.config import BLOCK, SAMPLE_RATE
from model.resample import StreamResampler
from monitor.audio import Audio, Chunk
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.errors import BadInputError
from monitor.events.bus import Bus
from monitor.events.sink import Sink
from monitor.scores import ChannelScore, StateTimeline
from monitor.scoring.opening import open_scorer
from monitor.session.file_scorer import channel_scores, read_config
from monitor.session.setup import start_sinks
from monitor.sources.reader import channel_names
from monitor.types import Event, State

HELD_S = 2.0
PIECE_S = 0.5
"""Audio is scored in pieces of this length; one with a gap before it fits into the ring."""
FULL_SCALE = 32_768.0
DRAIN_S = 3.0
"""After the end the sinks have so long to take the last events."""


def open_stream(
    sample_rate: int = SAMPLE_RATE,
    channels: int | Sequence[str] = 1,
    *,
    call: str = "stream",
    weights: str | Path | None = None,
    config: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
    sinks: Sequence[Sink] = (),
) -> Stream:
    """Open a stream that frames of a call are pushed into.

    sample_rate: of the frames, 4 000 to 768 000 Hz. channels: how many, or their names, one for each party. call: the
    name in its events. weights, config and settings: as for score_file(). sinks: take the events too, each in a thread
    of its own. Raises BadInputError, WeightsError and ConfigError.
    """
    names = channel_names(channels) if isinstance(channels, int) else tuple(channels)
    return Stream(read_config(config, settings, weights), sample_rate, names, call, sinks)


class _CollectingBus(Bus):
    """Keeps what was published until it is taken."""

    def __init__(self, sinks: Sequence[Sink], queue_events: int) -> None:
        super().__init__(sinks, queue_events)
        self._collected: list[Event] = []

    def publish_all(self, events: Iterable[tuple[Event, bool]]) -> list[Event]:
        published = super().publish_all(events)
        self._collected += published
        return published

    def taken(self) -> list[Event]:
        """Return the events since the last time."""
        events, self._collected = self._collected, []
        return events


class Stream:
    """One call whose audio is pushed. One thread may use it; made by open_stream().

    with open_stream(sample_rate=8000) as stream:
        for frame in frames:
            for event in stream.push(frame):
                print(event.type, event.data.get("p_fake"))
        print(stream.scores())
    """

    def __init__(
        self, config: Config, sample_rate: int, channels: Sequence[str], call: str, sinks: Sequence[Sink] = ()
    ) -> None:
        self.channels = _checked(channels, config.input.max_channels)
        try:
            self._resampler = StreamResampler(sample_rate, len(channels))
        except ValueError as error:
            raise BadInputError(str(error), "resample the audio before it is pushed") from error
        self._rate, self._pushed, self._next = sample_rate, 0, 0
        pool, bank = Pool(open_scorer(config.model, len(channels)), config), RingBank(len(channels), HELD_S)
        self._bus = _CollectingBus(sinks, config.publish.queue_events)
        self._engine = Engine(pool, bank, self._bus, config)
        self._call = self._engine.admit(call, "pushed by a program", self.channels, {})
        self._timelines = {name: StateTimeline() for name in self.channels}
        start_sinks(sinks, self._engine)
        self._engine.begin()
        self._rings = [feed.ring for feed in self._call.feeds]
        self._ended = False

    def push(self, frame: ArrayLike | bytes) -> list[Event]:
        """Score a frame of any length; returns the events it led to, scores among them.

        frame: float32 (n,) or (channels, n), full scale = 1.0; or int16 likewise; or bytes of 16-bit little-endian
        PCM, channels interleaved. However the audio is cut into frames, the events are the same. A sample that is not
        finite is no evidence. Raises BadInputError for another shape or type, or after finish().
        """
        if self._ended:
            raise BadInputError("the stream has ended", "open another stream")
        samples = self._as_float(frame)
        self._pushed += samples.shape[1]
        return self._score(self._resampler.push(samples))

    def skip(self, samples: int) -> list[Event]:
        """Note that so many samples of each channel were lost; they are no evidence. Returns the events of before."""
        events = self._flush()
        self._resampler = StreamResampler(self._rate, len(self.channels))
        self._pushed += max(0, samples)
        self._next = max(self._next, self._pushed * SAMPLE_RATE // self._rate)
        return events

    def finish(self) -> list[Event]:
        """Score what is left, and end the call. Returns the last events; the last one is call.ended."""
        if self._ended:
            return []
        self._ended = True
        events = self._flush()
        self._engine.end()
        self._bus.drain(DRAIN_S)
        self._bus.close()
        return events + self._take()

    def scores(self) -> tuple[ChannelScore, ...]:
        """Return the scores of each channel, of all speech so far; after finish() too."""
        timelines = [self._timelines[name] for name in self.channels]
        written = self._rings[0].written
        return channel_scores(self._engine.pool, self._call.rows, self.channels, timelines, written)

    def close(self) -> None:
        """End the call, if finish() has not."""
        self.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flush(self) -> list[Event]:
        """Score what the resampler holds."""
        return self._score(self._resampler.push(np.zeros((len(self.channels), 0), np.float32), last=True))

    def _score(self, samples: Audio) -> list[Event]:
        """Push audio at SAMPLE_RATE into the ring, a piece at a time, and score every block."""
        step = round(PIECE_S * SAMPLE_RATE)
        for at in range(0, samples.shape[1], step):
            piece = samples[:, at : at + step]
            for row, ring in enumerate(self._rings):
                ring.push(Chunk(piece[row : row + 1], self._next, 0.0), wait=False)
            self._next += piece.shape[1]
            while self._rings[0].fill >= BLOCK:
                self._engine.turn()
        return self._take()

    def _take(self) -> list[Event]:
        events = self._bus.taken()
        for event in events:
            if event.type == "state.changed":
                self._timelines[event.channel].add(event.sample, State(str(event.data["state"])))
        return events

    def _as_float(self, frame: ArrayLike | bytes) -> NDArray[np.float32]:
        """Return float32 (channels, n). Raises BadInputError."""
        count = len(self.channels)
        if isinstance(frame, (bytes, bytearray, memoryview)):
            if len(frame) % (2 * count):
                raise BadInputError(f"{len(frame)} bytes are no whole number of 16-bit samples of {count} channels")
            frame = np.frombuffer(frame, "<i2").reshape(-1, count).T
        samples = np.asarray(frame)
        if samples.ndim == 1 and count == 1:
            samples = samples[None]
        if samples.ndim != 2 or samples.shape[0] != count:
            raise BadInputError(f"a frame of shape {samples.shape}", f"push ({count}, n) samples")
        if samples.dtype == np.int16:
            return samples.astype(np.float32) / np.float32(FULL_SCALE)
        if not np.issubdtype(samples.dtype, np.floating):
            raise BadInputError(f"samples of type {samples.dtype}", "push float32 (full scale 1.0), int16 or bytes")
        return samples.astype(np.float32, copy=False)


def _checked(channels: Sequence[str], most: int) -> tuple[str, ...]:
    names = tuple(channels)
    if not 1 <= len(names) <= most or len(set(names)) < len(names):
        raise BadInputError(f"channels {', '.join(names) or 'none'}", f"give 1 to {most} different names")
    return names
