"""A call in a network capture as a source: its RTP flows, one party a channel."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from monitor.captures.calls import CapturedCall, Leg, find_calls
from monitor.captures.datagrams import CutOffError, Datagram, datagrams
from monitor.errors import BadInputError
from monitor.rtp.align import Aligner
from monitor.rtp.packet import MalformedPacketError, is_rtcp, parse_rtp
from monitor.rtp.stream import RtpStream
from monitor.types import SAMPLE_RATE, Audio, Chunk, Condition

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
            self._aligner.put(i, leg.finish())
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
        begin = int((datagram.at - self._call.begun) * SAMPLE_RATE)
        self._aligner.put(row, self._legs[row].hear(datagram), begin if self._legs[row].fresh else None)
        for i, leg in enumerate(self._legs):
            self._aligner.put(i, leg.advance(datagram.at))

    def _chunk(self, until: int, begun: float) -> Chunk:
        start = self._aligner.taken
        if self._speed is not None:
            self._closed.wait(max(0.0, begun + until / SAMPLE_RATE / self._speed - time.monotonic()))
        samples = self._aligner.take(until)
        lost = np.isnan(samples)
        return Chunk(np.nan_to_num(samples), start, 0.0, lost if lost.any() else None)


class _Hearing:
    """What is heard on one leg: the stream of its newest SSRC. fresh: nothing was heard of that stream before."""

    def __init__(self, leg: Leg) -> None:
        self.fresh = True
        self._leg = leg
        self._streams: dict[int, RtpStream] = {}

    def hear(self, datagram: Datagram) -> Audio:
        nothing = np.zeros(0, np.float32)
        if is_rtcp(datagram.data):
            return nothing
        try:
            packet = parse_rtp(datagram.data)
        except MalformedPacketError:
            return nothing
        self.fresh = packet.ssrc not in self._streams
        if self.fresh:
            if len(self._streams) >= MOST_SSRCS:
                return nothing
            self._streams[packet.ssrc] = RtpStream(self._leg.formats)
        return self._streams[packet.ssrc].push(packet, datagram.at)

    def advance(self, now: float) -> Audio:
        pieces = [stream.advance(now) for stream in self._streams.values()]
        return np.concatenate([np.zeros(0, np.float32), *pieces])

    def finish(self) -> Audio:
        return np.concatenate([np.zeros(0, np.float32), *(stream.finish() for stream in self._streams.values())])
