"""A stream that is not in a call yet, while it is seen whether its sender sends audio."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.rtp.packet import RtpPacket
from monitor.taps.rtp.pairing import CallPorts

KEPT, KEPT_S, NEAR = 4, 1.0, 100
"""Packets of a candidate that wait for two that follow each other, how old they may be then, and how far from them in
sequence: on a bad network the first ones of a call may all be overtaken."""


@dataclass
class Candidate:
    """A stream that is not in a call. place: where it arrives. proven: two packets of audio had numbers that follow
    each other.
    """

    place: tuple[CallPorts, int]
    packets: list[tuple[RtpPacket, float]] = field(default_factory=list)
    proven: bool = False

    def take(self, packet: RtpPacket, now: float) -> None:
        """Keep a packet, and forget what does not belong to those that prove the stream."""
        apart = [_apart(packet, other) for other, _ in self.packets]
        if not self.proven and any(abs(n) == 1 for n in apart):
            self.proven = True
            near = zip(self.packets, apart, strict=True)
            self.packets = [(p, at) for (p, at), n in near if abs(n) <= NEAR and now - at <= KEPT_S]
        self.packets = [*(self.packets if self.proven else self.packets[1 - KEPT :]), (packet, now)]


def _apart(packet: RtpPacket, other: RtpPacket) -> int:
    """Return the distance between two packets by their 16-bit sequence numbers: -32768 to 32767."""
    return (packet.sequence - other.sequence + 0x8000 & 0xFFFF) - 0x8000
