"""One track of a media stream: its numbered chunks as packets of RTP, whose stream puts them in order, finds what was
lost, and knows a pause from a loss. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import PayloadFormat
from monitor.rtp.rtp_stream import RtpStream
from monitor.taps.party import PartyAudio
from monitor.taps.tap_events import CallAudio
from monitor.taps.websocket.formats import as_rtp, as_rtp_payload

GIVE_UP_S = 0.1
"""A chunk that others overtook is waited for so long, where the vendor may mix up the order."""
FILLED_PAUSE_S = 0.5
STEADY_S = 0.1
"""A timestamp that is off by less says nothing: vendors round them, or take the time of arrival."""
OPUS_CHUNK_S = 0.02


@dataclass(frozen=True, slots=True)
class _Placed:
    """The newest chunk. clock: of its first sample, in ticks of the format; length: in ticks."""

    number: int
    clock: int
    length: int


class Track:
    """Chunks in, audio of one channel at SAMPLE_RATE out; lost chunks are NaN."""

    def __init__(self, call: str, channel: int, form: PayloadFormat, *, ordered: bool) -> None:
        self._call, self._form = call, form
        self._talk = PartyAudio(channel, RtpStream({0: as_rtp(form)}, 0.0 if ordered else GIVE_UP_S, FILLED_PAUSE_S))
        self._newest: _Placed | None = None
        self._origin: int | None = None

    @property
    def refused(self) -> int:
        """Return the payloads that its codec could make nothing of."""
        return self._talk.stream.bad

    def chunk(self, number: int | None, timestamp_ms: int | None, payload: bytes, now: float) -> Iterator[CallAudio]:
        """Process a chunk that came. One without a number follows the one before."""
        if number is None:
            number = self._newest.number + 1 if self._newest is not None else 0
        clock = self._clock(number, timestamp_ms)
        if self._newest is None or number > self._newest.number:
            self._newest = _Placed(number, clock, self._length(payload))
        data = as_rtp_payload(self._form, payload)
        packet = RtpPacket(0, False, number & 0xFFFF, clock & 0xFFFF_FFFF, 0, data)
        yield from self._talk.audio_events(self._call, self._talk.stream.push(packet, now))
        yield from self.tick(now)

    def tick(self, now: float) -> Iterator[CallAudio]:
        """Give up what was waited for too long."""
        if self._talk.stream.order.waits:
            yield from self._talk.audio_events(self._call, self._talk.stream.advance(now))

    def finish(self) -> Iterator[CallAudio]:
        """Return the audio still held."""
        yield from self._talk.audio_events(self._call, self._talk.stream.finish())

    def _clock(self, number: int, timestamp_ms: int | None) -> int:
        """Return the position of a chunk by its number. The timestamp decides whether skipped numbers were lost or
        belong to the other track, which shares the count; and it says where the sender paused.
        """
        newest = self._newest
        if newest is None:
            self._origin = timestamp_ms
            return 0
        step = number - newest.number
        counted = newest.clock + step * newest.length
        if timestamp_ms is None or self._origin is None:
            return counted
        stated = (timestamp_ms - self._origin) * self._form.clock_rate // 1000
        beside = newest.clock + (newest.length if step > 0 else -newest.length)
        nearest = min(counted, beside, key=lambda clock: abs(clock - stated))
        return nearest if abs(nearest - stated) <= STEADY_S * self._form.clock_rate else stated

    def _length(self, payload: bytes) -> int:
        """Return the length of a payload in ticks of the format's clock."""
        if self._form.encoding == "OPUS":
            return round(OPUS_CHUNK_S * self._form.clock_rate)
        # A byte of G.722 is two samples, and one tick of its clock.
        return len(payload) // 2 if as_rtp(self._form).encoding == "L16" else len(payload)
