"""Tells from its first packets what a stream is that nothing announces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from monitor.captures.spool import PacketSpool, StreamLog
from monitor.rtp.framing import g729_frames
from monitor.rtp.packet import MalformedPacketError, RtpPacket, parse_rtp
from monitor.rtp.payload import DYNAMIC, SILENT, USUAL, PayloadFormat, duration_s, opus_s

LOOKED_AT = 200
LEAST_IN_ORDER = 10
"""Packets with different numbers, each near the one before it, from which a stream is RTP."""
NEAR = 8
OPUS = PayloadFormat("OPUS", 48_000, 2)
_LEAST_PAIRS, _SHARE = 10, 0.95
LEAST_FRAMES, MOST_WRONG, G729_BYTES = 50, 0.3, 10
_TAGS = (4, 8, 10, 14, 16)
"""Bytes that SRTP adds behind a payload (RFC 3711, RFC 7714), with an identifier of a key or without."""
_G711 = (0, 8)


@dataclass(frozen=True, slots=True)
class StreamLook:
    """rtp: numbers go on as those of RTP do. opus: payload types that are Opus. fitting: those
    of the described ones whose payloads are as long as their timestamps say. encrypted: SRTP around G.711. shapes:
    by payload type, "62 bytes, 320 units of the clock apart".
    """

    rtp: bool
    opus: frozenset[int]
    fitting: Mapping[int, PayloadFormat]
    encrypted: bool
    shapes: Mapping[int, str]


def look(log: StreamLog, spool: PacketSpool, described: Mapping[int, PayloadFormat]) -> StreamLook:
    """Look at the first packets of a stream. described: what payload types may mean."""
    packets: dict[int, RtpPacket] = {}
    order: list[int] = []
    for packet in _looked_at(log, spool):
        if packet.sequence not in packets:
            order.append(packet.sequence)
            packets[packet.sequence] = packet
    near = sum(abs((b - a + 0x8000 & 0xFFFF) - 0x8000) <= NEAR for a, b in pairwise(order))
    follow = [
        (packet, packets[packet.sequence + 1 & 0xFFFF])
        for packet in packets.values()
        if packet.sequence + 1 & 0xFFFF in packets
    ]
    pairs = [(a, b) for a, b in follow if a.payload_type == b.payload_type]
    kinds = {a.payload_type for a, _ in pairs}
    of_kind = {kind: [p for p in pairs if p[0].payload_type == kind] for kind in kinds}
    opus = frozenset(kind for kind, some in of_kind.items() if kind >= 96 and _is_opus(some))
    fitting = {kind: form for kind, form in described.items() if _fits(form, of_kind.get(kind, []))}
    shapes = {kind: _shape(some) for kind, some in of_kind.items()}
    return StreamLook(near + 1 >= LEAST_IN_ORDER, opus, fitting, _is_encrypted(pairs), shapes)


def _looked_at(log: StreamLog, spool: PacketSpool) -> Iterator[RtpPacket]:
    """Yield the first packets of a stream, and the first of payload types that need a description and come later."""
    seen, late = Counter[int](), {kind for kind in log.kinds if kind >= DYNAMIC and kind not in USUAL}
    for n, (_, _, _, data, missing) in enumerate(log.read(spool)):
        kind = data[1] & 0x7F
        if n == LOOKED_AT:
            late -= set(seen)
        if n >= LOOKED_AT and not late:
            return
        if n >= LOOKED_AT and kind not in late:
            continue
        seen[kind] += 1
        if n >= LOOKED_AT and seen[kind] == LOOKED_AT:
            late.remove(kind)
        with suppress(MalformedPacketError):
            yield parse_rtp(data, missing)


def refusal(log: StreamLog, spool: PacketSpool, formats: Mapping[int, PayloadFormat]) -> str:
    """Return why a stream cannot be the G.729 that it is said to be, or "". Each frame has a bit of parity over the
    delay of the pitch (ITU-T G.729, section 3.7.2), which any other payload, such as an encrypted one, has right by
    chance.
    """
    frames, wrong = 0, 0
    for _, _, _, data, missing in log.read(spool, LOOKED_AT):
        form = formats.get(data[1] & 0x7F)
        if missing or form is None or form.encoding != "G729":
            continue
        with suppress(MalformedPacketError):
            for frame in g729_frames(parse_rtp(data).payload) or ():
                word = int.from_bytes(frame[:4])
                frames += len(frame) == G729_BYTES
                wrong += len(frame) == G729_BYTES and (word >> 8 & 0x3F).bit_count() % 2 == word >> 5 & 1
    if frames < LEAST_FRAMES or wrong < MOST_WRONG * frames:
        return ""
    return f"g729 not scored: the parity is wrong in {wrong} of {frames} frames; it is encrypted, or no G.729"


def _step(pair: tuple[RtpPacket, RtpPacket]) -> int:
    return pair[1].timestamp - pair[0].timestamp & 0xFFFF_FFFF


def _is_opus(pairs: list[tuple[RtpPacket, RtpPacket]]) -> bool:
    """Return whether first bytes tell the step to the next timestamp; it may be longer where the sender paused."""
    lengths = [(round(48_000 * opus_s(a.payload)), _step((a, b))) for a, b in pairs]
    known_steps = [(length, step) for length, step in lengths if step]
    exact = sum(length == step for length, step in known_steps)
    paused = sum(0 < length < step and step % length == 0 for length, step in known_steps)
    return exact >= _LEAST_PAIRS and exact >= paused and exact + paused >= _SHARE * len(known_steps)


def _fits(form: PayloadFormat, pairs: list[tuple[RtpPacket, RtpPacket]]) -> bool:
    """Return whether most payloads are as long as the step to the next timestamp, where the format has audio."""
    if form.encoding in SILENT:
        return True
    fitting = sum(round(form.clock_rate * duration_s(form, a.payload)) == _step((a, b)) for a, b in pairs)
    return bool(pairs) and fitting > len(pairs) / 2


def _is_encrypted(pairs: list[tuple[RtpPacket, RtpPacket]]) -> bool:
    """Return whether payloads of one byte a sample are longer than their time by what SRTP adds."""
    more = [len(a.payload) + a.missing - _step((a, b)) for a, b in pairs if a.payload_type in _G711]
    if len(more) < _LEAST_PAIRS:
        return False
    usual, times = Counter(more).most_common(1)[0]
    return usual in _TAGS and times >= _SHARE * len(more)


def _shape(pairs: list[tuple[RtpPacket, RtpPacket]]) -> str:
    sizes = {len(a.payload) + a.missing for a, _ in pairs}
    size = f"{min(sizes)}" if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"
    return f"{size} bytes, {Counter(_step(p) for p in pairs).most_common(1)[0][0]} units of the clock apart"
