"""RTP without signalling: which packets are streams, and which streams are calls. A function of packets and times.

A stream is what one sender sends under one SSRC (RFC 3550, section 8). It counts once two packets of audio follow
each other (appendix A.1). A sender that goes on under a new SSRC goes on with its call. A call ends with BYE, or when
nothing has come for a while.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from monitor.captures.datagrams import Endpoint
from monitor.rtp.packet import MalformedPacketError, RtpPacket, goodbyes, is_rtcp, parse_rtp
from monitor.rtp.payload import SILENT, Format
from monitor.rtp.stream import RtpStream
from monitor.taps.happenings import CallEnded, CallStarted, Happening
from monitor.taps.talk import Talk
from monitor.types import SAMPLE_RATE

MOST_CANDIDATES = 4096
"""Senders of which one packet came so far; beyond it the oldest is forgotten."""
FILLED_PAUSE_S = 0.5
"""Of a pause so much is heard as silence; over the rest the clock moves on."""
SUCCEEDS_AFTER_S = 0.05
"""A sender whose old SSRC was silent for so long when a new one begins has changed it."""

Key = tuple[Endpoint, int]
"""A sender and its SSRC."""


@dataclass(frozen=True)
class Line:
    """Where a call's streams come in. ports: one a party, each with its formats. names: of the parties."""

    ports: tuple[int, ...]
    names: tuple[str, ...]
    formats: tuple[Mapping[int, Format], ...]


@dataclass
class _Talk(Talk):
    """One stream of a call. newest: when its newest packet came."""

    key: Key = (("", 0), 0)
    newest: float = 0.0


@dataclass
class _Call:
    id: str
    begun: float
    talks: dict[Key, _Talk] = field(default_factory=dict)


class RtpDesk:
    """Feed it every datagram and, now and then, the time. accept: says whether a call that starts is taken.

    counts: what was not heard, by its reason.
    """

    def __init__(self, accept: Callable[[CallStarted], bool], idle_s: float) -> None:
        self.counts: Counter[str] = Counter()
        self._accept, self._idle_s = accept, idle_s
        self._calls: dict[str, _Call] = {}
        self._of: dict[Key, _Call] = {}
        self._candidates: OrderedDict[Key, RtpPacket] = OrderedDict()
        self._refused: OrderedDict[Key, float] = OrderedDict()

    def datagram(self, line: Line, party: int, data: bytes, source: Endpoint, now: float) -> Iterator[Happening]:
        """What came in from a sender on the port of a party."""
        try:
            if is_rtcp(data):
                for ssrc in goodbyes(data):
                    yield from self._leave(source, ssrc)
                return
            packet = parse_rtp(data)
        except MalformedPacketError:
            self.counts["no RTP"] += 1
            return
        key = (source, packet.ssrc)
        call = self._of.get(key)
        if call is None:
            first = self._first(line.formats[party], key, packet, now)
            if first is None:
                return
            call, last = self._call_for(line, party, key, now)
            if last is not None and call is not None:
                yield from last.heard(call.id, last.stream.finish())
            call = call or self._start(line, party, key, now)
            if call is None:
                return
            self._join(call, key, party, line.formats[party], now, last.clock if last else 0)
            yield from call.talks[key].heard(call.id, call.talks[key].stream.push(first, now))
        talk = call.talks[key]
        talk.newest = now
        yield from talk.heard(call.id, talk.stream.push(packet, now))

    def tick(self, now: float) -> Iterator[Happening]:
        """Give up lost packets and end what is idle. To be called every 20 ms or so."""
        for call in list(self._calls.values()):
            for talk in call.talks.values():
                if talk.stream.jitter.held:
                    yield from talk.heard(call.id, talk.stream.advance(now))
            if all(now - talk.newest > self._idle_s for talk in call.talks.values()):
                yield from self._end(call, f"nothing came for {self._idle_s:g} s")

    def close(self) -> Iterator[Happening]:
        """End every call."""
        for call in list(self._calls.values()):
            yield from self._end(call, "the monitor stops")

    def _first(self, formats: Mapping[int, Format], key: Key, packet: RtpPacket, now: float) -> RtpPacket | None:
        """The packet right before this one, where this proves that its sender sends audio."""
        form = formats.get(packet.payload_type)
        if form is None:
            self.counts[f"payload type {packet.payload_type}, which taps.rtp.payload_types does not name"] += 1
        if form is None or form.encoding in SILENT:
            return None
        if now - self._refused.get(key, float("-inf")) < self._idle_s:
            self.counts["of a refused call"] += 1
            return None
        before = self._candidates.pop(key, None)
        if before is not None and packet.sequence == before.sequence + 1 & 0xFFFF:
            return before
        self._candidates[key] = packet
        if len(self._candidates) > MOST_CANDIDATES:
            self._candidates.popitem(last=False)
        return None

    def _call_for(self, line: Line, party: int, key: Key, now: float) -> tuple[_Call | None, _Talk | None]:
        """A running call whose sender has changed its SSRC, with its last stream; or one that lacks this party."""
        (host, _), several = key[0], len(line.ports) > 1
        lacking: _Call | None = None
        for call in self._calls.values():
            for talk in call.talks.values():
                if talk.key[0] == key[0] and talk.channel == party and now - talk.newest > SUCCEEDS_AFTER_S:
                    del call.talks[talk.key], self._of[talk.key]
                    return call, talk
            if several and call.id.startswith(_prefix(line, host)):
                lacking = lacking or (call if party not in {t.channel for t in call.talks.values()} else None)
        return lacking, None

    def _start(self, line: Line, party: int, key: Key, now: float) -> _Call | None:
        """A call of its own, if it is taken."""
        (host, port), ssrc = key
        call = _Call(f"{_prefix(line, host)}{port}-{ssrc:08x}", now)
        details = {"from": f"{host}:{port}", "ssrc": f"{ssrc:08x}", "port": str(line.ports[party])}
        if self._accept(CallStarted(call.id, "rtp", line.names, SAMPLE_RATE, "", details)):
            self._calls[call.id] = call
            return call
        self._refused[key] = now
        if len(self._refused) > MOST_CANDIDATES:
            self._refused.popitem(last=False)
        return None

    def _join(self, call: _Call, key: Key, party: int, formats: Mapping[int, Format], now: float, clock: int) -> None:
        """clock: at which the party's audio goes on, at the earliest."""
        elapsed = round((now - call.begun) * SAMPLE_RATE)
        stream = RtpStream(formats, longest_pause_s=FILLED_PAUSE_S)
        call.talks[key] = _Talk(party, stream, max(elapsed, clock), key=key, newest=now)
        self._of[key] = call

    def _leave(self, source: Endpoint, ssrc: int) -> Iterator[Happening]:
        """A BYE counts when it comes from the host of the stream: RTCP has a port of its own."""
        for key, call in list(self._of.items()):
            if key[1] == ssrc and key[0][0] == source[0]:
                talk = call.talks.pop(key)
                del self._of[key]
                yield from talk.heard(call.id, talk.stream.finish())
                if not call.talks:
                    yield from self._end(call, "the sender said BYE")

    def _end(self, call: _Call, reason: str) -> Iterator[Happening]:
        for key, talk in call.talks.items():
            yield from talk.heard(call.id, talk.stream.finish())
            self._of.pop(key, None)
        self._calls.pop(call.id, None)
        yield CallEnded(call.id, reason)


def _prefix(line: Line, host: str) -> str:
    return f"rtp-{line.ports[0]}-{host}-"
