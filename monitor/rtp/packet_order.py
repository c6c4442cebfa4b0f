"""The packets of one RTP stream in their order, where nearly all come in their turn and none may cost much."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.rtp.jitter_buffer import JitterState, OrderedPacket, Result, accept, expire, flush
from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import REDUNDANT, PayloadFormat, duration_s
from monitor.rtp.red import RedundantAudio


class PacketOrder:
    """ready: packets in their turn, for the reader to take. bad: packets of redundant audio that are none.

    formats: payload types to formats. give_up_s: a packet that is missing for so long is lost.
    """

    def __init__(self, formats: Mapping[int, PayloadFormat], give_up_s: float) -> None:
        self.ready: list[OrderedPacket] = []
        self.bad = 0
        self._formats, self._give_up_s = formats, give_up_s
        self._jitter = JitterState()
        """The state after the last packet that was not in its turn."""
        self._next = -1
        """Sequence number of the packet whose turn it is, where none is held; -1 else."""
        self._redundant = RedundantAudio()

    @property
    def jitter(self) -> JitterState:
        """Return the state of the jitter buffer."""
        turn = self._jitter.turn
        return self._jitter if turn is None or self._next in (-1, turn & 0xFFFF) else JitterState(self._next)

    @property
    def waits(self) -> bool:
        """Return whether packets wait behind a hole."""
        return bool(self._jitter.held)

    @property
    def held_s(self) -> float:
        """Return the seconds of audio that wait behind a hole."""
        if not self._jitter.held:
            return 0.0
        known = ((self._formats.get(h.packet.payload_type), h.packet.payload) for h in self._jitter.held)
        return sum(duration_s(form, payload) for form, payload in known if form is not None)

    def hold(self, packet: RtpPacket, arrival: float) -> None:
        """Take a packet that arrived at that time, seconds."""
        form = self._formats.get(packet.payload_type)
        redundant = form is not None and form.encoding == REDUNDANT and not packet.missing
        if packet.sequence == self._next and not redundant:
            self.ready.append(OrderedPacket(packet, arrival))
            self._next = packet.sequence + 1 & 0xFFFF
            return
        packets = [packet]
        if redundant:
            packets = self._redundant.unpack(packet, self.jitter.turn)
            self.bad += not packets
        for each in packets:
            self._take(accept(self.jitter, each, arrival, self._give_up_s))

    def expire(self, now: float) -> None:
        """Give up what has been missing for too long."""
        if self.waits:
            self._take(expire(self._jitter, now, self._give_up_s))

    def flush(self) -> None:
        """Give up all that is missing: nothing more comes."""
        self._take(flush(self.jitter))

    def _take(self, result: Result) -> None:
        self._jitter, ready = result
        self.ready += ready
        turn = self._jitter.turn
        self._next = -1 if turn is None or self._jitter.held else turn & 0xFFFF
