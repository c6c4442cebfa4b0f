"""Redundant audio (RFC 2198): a packet carries the audio of packets before it, too."""

from __future__ import annotations

from monitor.rtp.jitter_buffer import MAX_DROPOUT
from monitor.rtp.packet import RtpPacket

_MOST_BLOCKS = 32


class RedundantAudio:
    """Unpacks the packets of one stream."""

    def __init__(self) -> None:
        self._step = 0
        """Units of the clock from the newest packet's predecessor to it, where none was lost between."""
        self._newest: RtpPacket | None = None

    def unpack(self, packet: RtpPacket, turn: int | None) -> list[RtpPacket]:
        """Return the packets that it repeats, where one is missing before it, and itself as the last; none for what is
        no such packet. turn: sequence number of the packet whose turn it is.
        """
        found = unpack_red(packet)
        if found is None:
            return []
        primary, blocks = found
        before, self._newest = self._newest, primary
        if before is not None and primary.sequence == before.sequence + 1 & 0xFFFF:
            self._step = primary.timestamp - before.timestamp & 0xFFFF_FFFF
        if turn is None or primary.sequence == turn & 0xFFFF:
            return [primary]
        repeated = earlier(primary, blocks, self._step)
        return [*(old for old in repeated if 0 <= (old.sequence - turn & 0xFFFF) < MAX_DROPOUT), primary]


def unpack_red(packet: RtpPacket) -> tuple[RtpPacket, list[tuple[int, int, bytes]]] | None:
    """Return the packet as it would be without redundancy, and each redundant block, newest last: its payload type, how
    many units of the clock it lies behind, and its payload. None for what is no such packet.
    """
    data, heads, at = packet.payload, list[tuple[int, int, int]](), 0
    while at < len(data) and data[at] & 0x80:
        if at + 4 > len(data) or len(heads) >= _MOST_BLOCKS:
            return None
        word = int.from_bytes(data[at : at + 4])
        heads.append((word >> 24 & 0x7F, word >> 10 & 0x3FFF, word & 0x3FF))
        at += 4
    if at >= len(data):
        return None
    kind, at = data[at], at + 1
    blocks = []
    for old_kind, behind, length in heads:
        if at + length > len(data):
            return None
        if length:
            blocks.append((old_kind, behind, data[at : at + length]))
        at += length
    return packet._replace(payload_type=kind, payload=data[at:]), blocks


def earlier(packet: RtpPacket, blocks: list[tuple[int, int, bytes]], step: int) -> list[RtpPacket]:
    """Return redundant blocks as the packets that they repeat, where each packet is step units of the clock long. The
    offset must be a multiple of it: else which packet was meant is not known.
    """
    if step <= 0:
        return []
    return [
        RtpPacket(
            kind,
            False,
            packet.sequence - behind // step & 0xFFFF,
            packet.timestamp - behind & 0xFFFF_FFFF,
            packet.ssrc,
            payload,
        )
        for kind, behind, payload in blocks
        if behind and behind % step == 0
    ]
