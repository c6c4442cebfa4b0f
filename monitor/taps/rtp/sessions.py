"""RTP without signalling: which packets are streams, and which streams are calls. A function of packets and times.

A stream is what one sender sends under one SSRC (RFC 3550, section 8). It counts once two packets of audio whose
numbers follow each other came (appendix A.1), in whatever order. A sender that goes on under a new SSRC, or from
another port of its host with the next numbers, goes on with its call. A call ends with BYE, or when nothing has come
for a while.

Nobody can make it hold or compute more than so much: see the limits below, each of which is counted in words.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping

from monitor.captures.ip_packets import Endpoint
from monitor.limits.reasons import Reasons
from monitor.rtp.codecs import is_supported
from monitor.rtp.packet import MalformedPacketError, RtpPacket, is_rtcp, parse_bye, parse_rtp
from monitor.rtp.payload import SILENT, PayloadFormat
from monitor.rtp.rtp_stream import RtpStream
from monitor.rtp.together import give_together
from monitor.taps.rtp.candidate import Candidate
from monitor.taps.rtp.flood_guard import FloodGuard, Key
from monitor.taps.rtp.pairing import CallPorts, RtpCall, pair
from monitor.taps.rtp.stream_audio import StreamAudio
from monitor.taps.tap_events import CallEnded, CallMoved, CallStarted, TapEvent
from monitor.types import SAMPLE_RATE

MOST_CANDIDATES = 2048
"""Senders that are not yet in a call; beyond it the oldest is forgotten."""
PROBATION = 8
"""Packets of a new SSRC that wait to be heard while its sender's old one may still go on."""
MOST_WAITING = 50
"""Packets of a stream that wait for the next tick."""
FILLED_PAUSE_S = 0.5
"""So much of a pause is scored as silence; over the rest the clock moves on."""
SUCCEEDS_AFTER_S = 0.05
"""A sender whose old SSRC was silent for so long when a new one goes on has changed it."""


class RtpSessions:
    """Feed it every datagram and, now and then, the time. accept: says whether a call that starts is taken.

    counts: what was not heard, by its reason.
    """

    def __init__(self, accept: Callable[[CallStarted], bool], idle_s: float) -> None:
        self.counts = Reasons()
        self._accept, self._idle_s = accept, idle_s
        self._calls: dict[str, RtpCall] = {}
        self._of: dict[Key, RtpCall] = {}
        self._candidates: OrderedDict[Key, Candidate] = OrderedDict()
        self._refused: OrderedDict[Key, float] = OrderedDict()
        self._begun = 0
        """Calls so far: an SSRC in a name that everybody reads would let others end the call with it."""
        self._guard = FloodGuard(self.counts)

    def datagram(self, line: CallPorts, party: int, data: bytes, source: Endpoint, now: float) -> Iterable[TapEvent]:
        """Process a datagram from a sender on the port of a party. The events are to be taken before the next one."""
        key = source, int.from_bytes(data[8:12])
        call = self._of.get(key)
        if call is None and self._guard.muted(key, now):
            return ()
        try:
            if is_rtcp(data):
                return [event for ssrc in parse_bye(data) for event in self._leave(source, ssrc)]
            packet = parse_rtp(data)
        except MalformedPacketError:
            if self._guard.within_limit(source, now):
                self.counts["no RTP"] += 1
            return ()
        if call is not None:
            return self._packet(call, call.streams[key], packet, now)
        if self._guard.within_limit(source, now):
            return self._unassigned(line, party, key, packet, now)
        return ()

    def _packet(self, call: RtpCall, sender: StreamAudio, packet: RtpPacket, now: float) -> Iterable[TapEvent]:
        """Take one more packet of a stream, if it has not given more audio than there is time. Heard at the next
        tick."""
        sender.newest, sender.last = now, packet
        sender.packets += 1
        if sender.take_credit(now):
            sender.stream.order.hold(packet, now)
            if len(sender.stream.order.ready) > MOST_WAITING:
                return sender.audio_events(call.id, sender.stream.give())
            return ()
        self.counts["of a stream that gives more audio than time passes"] += 1
        if sender.floods(now):
            self._guard.mute(sender.key, now)
            return self._end(call, "a sender gave more audio than time passed")
        return ()

    def _unassigned(self, line: CallPorts, party: int, key: Key, packet: RtpPacket, now: float) -> Iterator[TapEvent]:
        """Take a packet of a stream that is in no call; it may begin one."""
        waiting = self._proven(line, party, key, packet, now)
        if not waiting:
            return
        call = self._moved(line, party, key, waiting)
        if call is not None:
            yield CallMoved(call.id, party, f"{key[0][0]}:{key[0][1]}")
        else:
            call, last = self._call_for(line, party, key, now)
            if last is not None and call is not None:
                yield from last.audio_events(call.id, last.stream.finish())
            call = call or self._start(line, party, key, now)
            if call is None:
                return
            self._join(call, key, party, line.formats[party], waiting[0][1], last.clock if last else 0)
        for packet, arrival in waiting:
            yield from self._packet(call, call.streams[key], packet, arrival)

    def tick(self, now: float) -> Iterator[TapEvent]:
        """Hear what has come, give up lost packets, end what is idle. To be called every 20 to 60 ms."""
        calls = list(self._calls.values())
        streams = [(call, t) for call in calls for t in call.streams.values()]
        due = [(call, t) for call, t in streams if t.stream.order.ready or t.stream.order.waits]
        for _, sender in due:
            sender.stream.order.expire(now)
        for (call, sender), sound in zip(due, give_together([t.stream for _, t in due]), strict=True):
            yield from sender.audio_events(call.id, sound)
            if sender.stream.unscored:
                self.counts.update({f"not scored: {what}": n for what, n in sender.stream.unscored.items()})
                sender.stream.unscored.clear()
        yield from self._end_idle(calls, now)

    def _end_idle(self, calls: Iterable[RtpCall], now: float) -> Iterator[TapEvent]:
        for call in calls:
            if idle_s := call.idle_s(now, self._idle_s):
                yield from self._end(call, f"nothing came for {idle_s:g} s")

    def postpone_timeouts(self, seconds: float) -> None:
        """Extend all deadlines by a time in which nothing was read; what arrived meanwhile is still processed."""
        for call in self._calls.values():
            for sender in call.streams.values():
                sender.newest += seconds

    def close(self) -> Iterator[TapEvent]:
        """End every call."""
        for call in list(self._calls.values()):
            yield from self._end(call, "the monitor stops")

    def _proven(
        self, line: CallPorts, party: int, key: Key, packet: RtpPacket, now: float
    ) -> list[tuple[RtpPacket, float]]:
        """Return the packets of a stream so far, with their arrivals, where they prove that its sender sends audio."""
        form = line.formats[party].get(packet.payload_type)
        if form is None:
            self.counts.note("a payload type that taps.rtp.payload_types does not name", packet.payload_type)
        elif not is_supported(form):
            self.counts.note("a format for which there is no decoder", form)
        if form is None or form.encoding in SILENT or not is_supported(form):
            return []
        if now - self._refused.get(key, float("-inf")) < self._idle_s:
            self.counts["of a refused call"] += 1
            return []
        candidate = self._candidates.setdefault(key, Candidate((line, party)))
        candidate.take(packet, now)
        waits = self._goes_on(key, party, now) or pair(self._calls.values(), line, party, key[0]).guesses
        if candidate.proven and (len(candidate.packets) >= PROBATION or not waits):
            del self._candidates[key]
            return candidate.packets
        if len(self._candidates) > MOST_CANDIDATES:
            self._candidates.popitem(last=False)
            self.counts["forgotten: too many senders at once"] += 1
        return []

    def _goes_on(self, key: Key, party: int, now: float) -> bool:
        """Return whether a sender is heard under another SSRC, or its SSRC from another port, and was so just now."""
        streams = (sender for call in self._calls.values() for sender in call.streams.values())
        same = (t for t in streams if t.channel == party and (t.key[0] == key[0] or t.may_move_to(key)))
        return any(now - t.newest <= SUCCEEDS_AFTER_S for t in same)

    def _moved(self, line: CallPorts, party: int, key: Key, waiting: list[tuple[RtpPacket, float]]) -> RtpCall | None:
        """Return the call whose party goes on from another port of its host, which is noted as its port now."""
        packet, arrival = min(waiting, key=lambda one: one[1])
        for call in self._calls.values():
            for sender in call.streams.values():
                here = call.id.startswith(line.prefix(key[0][0])) and sender.channel == party
                silent = waiting[-1][1] - sender.newest > SUCCEEDS_AFTER_S
                if here and silent and sender.goes_on(key, packet, arrival):
                    del self._of[sender.key]
                    call.streams[key] = call.streams.pop(sender.key)
                    sender.key, self._of[key] = key, call
                    return call
        return None

    def _call_for(self, line: CallPorts, party: int, key: Key, now: float) -> tuple[RtpCall | None, StreamAudio | None]:
        """Return a running call whose sender has changed its SSRC, with its last stream; or one that lacks this party,
        as far as that is known.
        """
        for call in self._calls.values():
            for sender in call.streams.values():
                if sender.key[0] == key[0] and sender.channel == party and now - sender.newest > SUCCEEDS_AFTER_S:
                    del call.streams[sender.key], self._of[sender.key]
                    return call, sender
        return pair(self._calls.values(), line, party, key[0]).choose(self._rivals(line, party, key[0])), None

    def _rivals(self, line: CallPorts, party: int, source: Endpoint) -> list[Endpoint]:
        """Return the other senders of a host whose streams of this party are in no call yet."""
        waiting = (key[0] for key, c in self._candidates.items() if c.proven and c.place == (line, party))
        return [other for other in waiting if other[0] == source[0] and other != source]

    def _start(self, line: CallPorts, party: int, key: Key, now: float) -> RtpCall | None:
        """Start a call for the stream, if it is taken."""
        host, port = key[0]
        self._begun += 1
        alone = pair(self._calls.values(), line, party, key[0]).guesses
        call = RtpCall(f"{line.prefix(host)}{port}-{self._begun}", now, alone=alone)
        details = {"from": f"{host}:{port}", "port": str(line.ports[party])}
        if alone:
            details["alone"] = "several calls of this host began together, and nothing says whose party this is"
        started = CallStarted(call.id, "rtp", line.names, SAMPLE_RATE, "", details, host)
        if self._guard.may_begin(key[0], now) and self._accept(started):
            self._calls[call.id] = call
            return call
        self._refused[key] = now
        if len(self._refused) > MOST_CANDIDATES:
            self._refused.popitem(last=False)
        return None

    def _join(
        self, call: RtpCall, key: Key, party: int, formats: Mapping[int, PayloadFormat], now: float, clock: int
    ) -> None:
        """clock: at which the party's audio goes on, at the earliest."""
        elapsed = round((now - call.begun) * SAMPLE_RATE)
        stream = RtpStream(formats, longest_pause_s=FILLED_PAUSE_S)
        call.streams[key] = StreamAudio(
            party, stream, max(elapsed, clock), key=key, newest=now, credited=now, judged=now
        )
        self._of[key] = call

    def _leave(self, source: Endpoint, ssrc: int) -> Iterator[TapEvent]:
        """Take a BYE, which counts when it comes from the port of the stream, or from the one above it, which is that
        of its RTCP (RFC 3550, section 11): behind one address there may be many senders.
        """
        host, port = source
        for stream in ((host, port), (host, port - 1)):
            key = stream, ssrc
            call = self._of.get(key)
            if call is not None:
                sender = call.streams.pop(key)
                del self._of[key]
                yield from sender.audio_events(call.id, sender.stream.finish())
                if not call.streams:
                    yield from self._end(call, "the sender said BYE")

    def _end(self, call: RtpCall, reason: str) -> Iterator[TapEvent]:
        for key, sender in call.streams.items():
            yield from sender.audio_events(call.id, sender.stream.finish())
            self._of.pop(key, None)
        self._calls.pop(call.id, None)
        yield CallEnded(call.id, reason)
