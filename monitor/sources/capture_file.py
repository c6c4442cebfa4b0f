"""A call in a network capture as a source: its RTP flows, one party a channel."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from monitor.audio import Chunk
from monitor.captures.calls import CapturedCall, Leg, find_calls
from monitor.captures.datagrams import CutOffError, Datagram, datagrams
from monitor.errors import BadInputError
from monitor.rtp.align import Aligner
from monitor.rtp.packet import MalformedPacketError, is_rtcp, parse_rtp
from monitor.rtp.sound import Sound
from monitor.rtp.stream import RtpStream
from monitor.types import SAMPLE_RATE, Condition

LAG_S = 0.5
"""The audio of a moment is complete so long after it: the jitter buffer, and what a sender sends in bursts."""
STEP = SAMPLE_RATE // 50
"""Samples of a chunk. Fixed: where a stream that paused goes on is counted in steps."""
MOST_SSRCS = 64
"""Streams that one flow may begin in a call; more are noise or an attack, and are passed over."""


def captured_calls(path: Path) -> tuple[CapturedCall, ...]:
    """The calls of a capture that can be heard. Raises BadInputError where there is none, and says why."""

    def whole_part() -> Iterator[Datagram]:
        with suppress(CutOffError):
            yield from datagrams(path)

    calls = find_calls(whole_part())
    heard = tuple(c for c in (_audible(call) for call in calls) if c.legs)
    if heard:
        return heard
    legs = [leg for call in calls for leg in call.legs]
    if any(leg.encrypted for leg in legs):
        message, hint = (
            "the audio is encrypted (SRTP)",
            "it cannot be heard without its keys: capture behind the gateway",
        )
    elif unknown := sorted({name for leg in legs for name in leg.unknown}):
        message, hint = f"the audio is {', '.join(unknown)}", "PCMU, PCMA, G722, L16 and Opus can be decoded"
    else:
        message, hint = "no RTP audio was found", "was the capture made where the call's audio passes, before it began?"
    raise BadInputError(f"{path}: {message}", hint)


def _audible(call: CapturedCall) -> CapturedCall:
    legs = tuple(leg for leg in call.legs if leg.known and not leg.encrypted)
    return CapturedCall(legs, call.begun, call.ended, call.parties)


class CaptureSource:
    """One call of a capture. speed: None = as fast as it is taken, 1.0 = as fast as it was spoken.

    total_s: from its first packet of audio to its last.
    """

    live = False

    def __init__(self, path: Path, call: CapturedCall, speed: float | None = None) -> None:
        self.name = " ".join([path.name, *([f"({call.parties[0]} to {call.parties[1]})"] if all(call.parties) else [])])
        self.channels = tuple(leg.name for leg in call.legs)
        self.total_s = call.ended - call.begun
        self._path, self._call, self._speed = path, call, speed
        self._closed = threading.Event()
        self._flows = {leg.flow: i for i, leg in enumerate(call.legs)}
        self._legs = [_Hearing(leg) for leg in call.legs]
        self._aligner = Aligner(self.channels)

    def chunks(self) -> Iterator[Chunk | Condition]:
        """Yield the call once; a capture that is cut off ends with the condition "ended early"."""
        begun = time.monotonic()
        cut: Condition | None = None
        for until in self._moments():
            if isinstance(until, Condition):
                cut = until
                continue
            while self._aligner.taken + STEP <= until:
                if self._closed.is_set():
                    return
                yield self._chunk(self._aligner.taken + STEP, begun)
        for i, leg in enumerate(self._legs):
            self._put(i, leg.finish())
        while self._aligner.taken < self._aligner.end and not self._closed.is_set():
            yield self._chunk(min(self._aligner.end, self._aligner.taken + STEP), begun)
        if cut is not None:
            yield cut

    def close(self) -> None:
        """End chunks()."""
        self._closed.set()

    def _moments(self) -> Iterator[int | Condition]:
        """Hear packet after packet; yield the index up to which all audio is there."""
        try:
            for datagram in datagrams(self._path):
                leg = self._flows.get((datagram.source, datagram.target))
                if leg is not None:
                    self._hear(leg, datagram)
                    yield int((datagram.at - self._call.begun - LAG_S) * SAMPLE_RATE)
        except CutOffError as error:
            yield Condition("ended early", f"the capture is cut off: {error}", usable=True)

    def _hear(self, row: int, datagram: Datagram) -> None:
        self._legs[row].hear(datagram, int((datagram.at - self._call.begun) * SAMPLE_RATE))
        for i, leg in enumerate(self._legs):
            self._put(i, leg.advance(datagram.at))

    def _put(self, row: int, given: Iterable[tuple[Sound, int | None]]) -> None:
        for sound, begin in given:
            self._aligner.put(row, sound, begin)

    def _chunk(self, until: int, begun: float) -> Chunk:
        start = self._aligner.taken
        if self._speed is not None:
            self._closed.wait(max(0.0, begun + until / SAMPLE_RATE / self._speed - time.monotonic()))
        samples, concealed = self._aligner.take(until)
        lost = np.isnan(samples)
        return Chunk(np.nan_to_num(samples), start, 0.0, lost if lost.any() else None, concealed)


class _Hearing:
    """What is heard on one leg: its streams, by SSRC. What they give comes with the index, at SAMPLE_RATE, before which
    it cannot have been said, where that is not known from what came before it.
    """

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._streams: dict[int, RtpStream] = {}
        self._begins: dict[int, int] = {}
        """Of streams that have given nothing yet: index at which their first packet came."""

    def hear(self, datagram: Datagram, at: int) -> None:
        """Take a datagram that came at that index."""
        if is_rtcp(datagram.data):
            return
        try:
            packet = parse_rtp(datagram.data)
        except MalformedPacketError:
            return
        if packet.ssrc not in self._streams:
            if len(self._streams) >= MOST_SSRCS:
                return
            self._streams[packet.ssrc] = RtpStream(self._leg.formats)
            self._begins[packet.ssrc] = at
        self._streams[packet.ssrc].hold(packet, datagram.at)

    def advance(self, now: float) -> Iterator[tuple[Sound, int | None]]:
        """What is in its turn at that time."""
        for ssrc, stream in self._streams.items():
            yield from self._given(ssrc, stream.advance(now))

    def finish(self) -> Iterator[tuple[Sound, int | None]]:
        """Everything that is held."""
        for ssrc, stream in self._streams.items():
            yield from self._given(ssrc, stream.finish())

    def _given(self, ssrc: int, sound: Sound) -> Iterator[tuple[Sound, int | None]]:
        if len(sound):
            yield sound, self._begins.pop(ssrc, None)
