"""One AudioSocket connection, from its bytes to a call: a function of bytes and times of arrival.

The protocol has neither time stamps nor a word for silence. The audio that comes is the clock; where none came for a
while the clock moves on, as in a pause. Whoever sends faster than real time is read more slowly, and cut off where it
goes on: no peer can fill more memory or time than two honest ones.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from model.resample import StreamResampler
from monitor.audio import Audio
from monitor.captures.ip_packets import Endpoint
from monitor.taps.audiosocket.frame_parser import (
    DTMF,
    ERROR,
    ERRORS,
    HANGUP,
    PLAIN,
    RATES,
    UUID,
    AudioSocketFrame,
    FrameParser,
)
from monitor.taps.audiosocket.measured_rate import G711, PaceMeter
from monitor.taps.tap_events import CallAudio, CallEnded, CallPaused, CallResumed, CallStarted, TapEvent
from monitor.types import SAMPLE_RATE

CREDIT_S, CREDIT_RATE = 0.5, 1.5
"""So much audio may come at once, and so many times as much as time passes; then the peer is read more slowly."""
FLOOD_S = 20.0
"""A peer that has to be read slowly for so long does not catch up with a stall: it floods."""
PAUSE_S = 2.0
"""No audio for so long is a pause, not the unevenness of a network."""
KEEPALIVE_S = 1.0
"""No audio for so long asks for a sign of life."""
MOST_UNKNOWN, MOST_CHANGES = 50, 20
"""Frames of unknown types, and changes of the rate, of one call."""


@dataclass(frozen=True)
class AudioSocketRules:
    """accept: why a call is not taken, or "". allow: the UUIDs that are; empty = all. hello_s: until the UUID comes.
    idle_s: how long a frame may take, and a tenth of how long a peer may be silent.
    """

    accept: Callable[[CallStarted], str]
    allow: frozenset[uuid.UUID]
    hello_s: float
    idle_s: float


class AudioSocketCall:
    """over: why it has ended, "" while it goes on. counts: of the tap, by the reason."""

    def __init__(self, source: Endpoint, rules: AudioSocketRules, counts: Counter[str], now: float) -> None:
        self.call = self.over = ""
        self._source, self._rules, self._counts = source, rules, counts
        self._parser = FrameParser()
        self._begun = self._newest = self._credited = self._moved = now
        self._slow_since: float | None = None
        self._credit_s = CREDIT_S
        self._kind, self._resampler = 0, StreamResampler(SAMPLE_RATE, 1)
        self._rates = dict(RATES)
        self._meter: PaceMeter | None = PaceMeter(sorted(RATES.values()))
        self._clock = self._unknown = self._changes = 0
        self._paused = False

    def feed(self, data: bytes, now: float) -> Iterator[TapEvent]:
        """Process received bytes."""
        self._moved = now
        for frame in self._parser.feed(data):
            if self.over:
                return
            yield from self._frame(frame, now)

    def tick(self, now: float) -> Iterator[TapEvent]:
        """Do what is due by the clock; called a few times a second."""
        if self.over:
            return
        yield from self._measured(now)
        if not self.call and now - self._begun > self._rules.hello_s:
            yield from self._fail(f"no UUID within {self._rules.hello_s:g} s")
        elif self._parser.held and now - self._moved > self._rules.idle_s:
            yield from self._fail("stopped in the middle of a frame")
        elif now - self._newest > 10 * self._rules.idle_s:
            yield from self._end(f"no audio came for {10 * self._rules.idle_s:g} s")
        elif self.call and not self._paused and now - self._newest > PAUSE_S:
            self._paused = True
            yield CallPaused(self.call, "the peer sends no audio")

    def gone(self, why: str) -> Iterator[TapEvent]:
        """End the call: its connection has ended."""
        if not self.call and not self.over:
            self._counts["a connection that went without a UUID"] += 1
        yield from self._end(why)

    @property
    def unfinished(self) -> bool:
        """Return whether the rest of a frame has not come."""
        return bool(self._parser.held)

    def wait_s(self, now: float) -> float:
        """Return how many seconds to wait before reading on."""
        if self._meter is not None and self._meter.frames:
            return 0.0  # or the wait would be what is measured; the meter has a limit of its own
        self._add_credit(now)
        return max(0.0, -self._credit_s / CREDIT_RATE)

    def silent(self, now: float) -> bool:
        """Return whether Asterisk needs a sign of life: it hangs up after 2 s in which neither side said anything."""
        return bool(self.call) and not self.over and now - self._newest > KEEPALIVE_S

    def _frame(self, frame: AudioSocketFrame, now: float) -> Iterator[TapEvent]:
        if frame.kind == HANGUP:
            yield from self._end("the peer hung up")
        elif frame.kind == UUID:
            yield from self._hello(frame.payload, now)
        elif not self.call:
            yield from self._fail("no UUID first")
        elif frame.kind == PLAIN and self._meter is not None:
            self._newest = now
            self._meter.add(frame.payload, now)
            yield from self._measured(now)
        elif frame.kind in RATES:
            yield from self._measured(now, last=True)
            yield from self._audio(frame, now)
        elif frame.kind == ERROR:
            code = frame.payload[0] if frame.payload else 0
            yield from self._fail(f"the peer says: {ERRORS.get(code, f'error {code}')}")
        elif frame.kind != DTMF:
            self._unknown += 1
            self._counts["a frame of an unknown type"] += 1
            if self._unknown > MOST_UNKNOWN:
                yield from self._fail("frames of unknown types only: no AudioSocket, or a wrong length")

    def _hello(self, payload: bytes, now: float) -> Iterator[TapEvent]:
        if self.call or len(payload) != 16:
            yield from self._fail("a second UUID" if self.call else f"a UUID of {len(payload)} bytes")
            return
        name = uuid.UUID(bytes=payload)
        if self._rules.allow and name not in self._rules.allow:
            yield from self._fail("a UUID that taps.audiosocket.allow does not name")
            return
        host, port = self._source
        details = {"uuid": str(name), "from": f"{host}:{port}"}
        started = CallStarted(f"audiosocket-{name}", "audiosocket", ("party",), SAMPLE_RATE, "", details, host)
        if refused := self._rules.accept(started):
            yield from self._fail(f"refused: {refused}")
            return
        self.call, self._begun, self._newest = started.call, now, now

    def _measured(self, now: float, *, last: bool = False) -> Iterator[TapEvent]:
        """Hear the frames of PLAIN that were held, once their pace says their rate."""
        meter = self._meter
        if meter is None or (rate := meter.guess() if last else meter.rate(now)) is None:
            return
        self._meter = None
        if rate == G711:
            yield from self._fail("one byte a sample under the type 0x10: dial with /c(slin) or /c(slin16)")
            return
        if rate != RATES[PLAIN]:
            self._rates[PLAIN] = rate
            self._counts[f"{rate} Hz by its pace, under the type of 8 kHz"] += 1
        for at, payload in meter.frames:
            yield from self._audio(AudioSocketFrame(PLAIN, payload), at)

    def _audio(self, frame: AudioSocketFrame, now: float) -> Iterator[TapEvent]:
        """now: when it came."""
        size, odd = divmod(len(frame.payload), 2)
        samples = np.frombuffer(frame.payload, "<i2", size).astype(np.float32) / np.float32(32768)
        if odd:
            self._counts["a frame of an odd length"] += 1
            samples[:] = np.nan
        if not size:
            return
        pieces = []
        if frame.kind != self._kind:
            self._changes += 1
            if self._changes > MOST_CHANGES:
                yield from self._fail("changes its rate again and again")
                return
            pieces.append(self._rate(frame.kind))
        pieces.append(self._resampler.push(samples[None])[0])
        yield from self._use_credit(size / self._rates[frame.kind], now)
        yield from self._audio_event(np.concatenate(pieces), now)

    def _rate(self, kind: int) -> Audio:
        """Go on at another rate. Returns what the resampler of the one before still held."""
        held: Audio = self._resampler.push(np.zeros((1, 0), np.float32), last=True)[0]
        self._kind, self._resampler = kind, StreamResampler(self._rates[kind], 1)
        return held

    def _use_credit(self, audio_s: float, now: float) -> Iterator[TapEvent]:
        self._add_credit(now)
        self._credit_s -= audio_s
        if self._credit_s >= 0:
            self._slow_since = None
        elif self._slow_since is None:
            self._slow_since = now
            self._counts["audio faster than real time, which was read more slowly"] += 1
        elif now - self._slow_since > FLOOD_S:
            yield from self._fail("sends faster than real time")

    def _add_credit(self, now: float) -> None:
        self._credit_s = min(CREDIT_S, self._credit_s + CREDIT_RATE * (now - self._credited))
        self._credited = now

    def _audio_event(self, samples: Audio, now: float) -> Iterator[TapEvent]:
        if self.over:
            return
        behind = round((now - self._begun) * SAMPLE_RATE) - len(samples) - self._clock
        quiet = self._paused and behind > 0
        self._clock += behind * quiet
        self._newest = now
        if self._paused:
            self._paused = False
            yield CallResumed(self.call)
        if len(samples):
            yield CallAudio(self.call, 0, self._clock, samples, quiet=quiet)
            self._clock += len(samples)

    def _fail(self, why: str) -> Iterator[TapEvent]:
        self._counts[why] += 1
        yield from self._end(why)

    def _end(self, why: str) -> Iterator[TapEvent]:
        if not self.over and self.call:
            yield from self._measured(self._newest, last=True)
        if self.over:
            return
        self.over = why
        if self.call:
            held = self._resampler.push(np.zeros((1, 0), np.float32), last=True)[0]
            if len(held):
                yield CallAudio(self.call, 0, self._clock, held)
            yield CallEnded(self.call, why)
