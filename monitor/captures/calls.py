"""The calls of a capture: which flows are RTP, which of them belong together, and who is who.

Flows that SIP and SDP in the same file announce are taken as announced. Other flows count as RTP when their packets
look like it one after the other; a flow and its answer are the two sides of a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from monitor.captures.datagrams import Datagram, Endpoint
from monitor.captures.sip import SipMessage, parse_sip
from monitor.rtp.packet import MalformedPacketError, RtpPacket, is_rtcp, parse_rtp
from monitor.rtp.payload import SILENT, STATIC, USUAL, Format
from monitor.rtp.sdp import Media, parse_sdp

LEAST_PACKETS = 10
"""Of a flow that nothing announces, one after the other, before it counts as RTP."""
MOST_FLOWS = 10_000
CALLER, CALLEE = "caller", "callee"

Flow = tuple[Endpoint, Endpoint]
"""Where datagrams come from, and where they go."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a call: what one party says. name: of the party, or its address. begun: time of its first packet.
    known: there are packets that can be decoded. encrypted: SRTP. unknown: codecs announced that no decoder knows.
    """

    name: str
    flow: Flow
    formats: Mapping[int, Format]
    begun: float
    known: bool = True
    encrypted: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CapturedCall:
    """begun, ended: time of the first and the last packet of its audio, seconds since 1970. parties: caller and callee
    as SIP names them, "" where it does not.
    """

    legs: tuple[Leg, ...]
    begun: float
    ended: float
    parties: tuple[str, str] = ("", "")


@dataclass
class _Seen:
    """What is known of a flow. run: packets of one SSRC so far, each followed by the next number."""

    first: float = 0.0
    last: float = 0.0
    packets: int = 0
    run: int = 0
    longest: int = 0
    previous: RtpPacket | None = None
    kinds: set[int] = field(default_factory=set)

    def add(self, packet: RtpPacket, at: float) -> None:
        """Count a packet."""
        self.first = self.first or at
        self.last = at
        self.packets += 1
        before = self.previous
        follows = before is not None and before.ssrc == packet.ssrc and packet.sequence == before.sequence + 1 & 0xFFFF
        self.run = self.run + 1 if follows else 1
        self.longest = max(self.longest, self.run)
        self.previous = packet
        self.kinds.add(packet.payload_type)


@dataclass(frozen=True, slots=True)
class _Announced:
    """Audio that a SIP message announces. by: caller or callee, who receives it."""

    dialogue: SipMessage
    by: str
    media: Media


def find_calls(found: Iterable[Datagram]) -> tuple[CapturedCall, ...]:
    """The calls of a capture, by their beginning."""
    flows: dict[Flow, _Seen] = {}
    announced: dict[Endpoint, _Announced] = {}
    inviters: dict[str, Endpoint] = {}
    for datagram in found:
        message = parse_sip(datagram.data)
        if message is not None:
            _note(message, datagram, announced, inviters)
        elif len(flows) < MOST_FLOWS or (datagram.source, datagram.target) in flows:
            _look(datagram, flows)
    chosen = {flow: seen for flow, seen in flows.items() if _is_rtp(flow, seen, announced)}
    groups: dict[object, list[Flow]] = {}
    for flow in chosen:
        groups.setdefault(_together(flow, announced), []).append(flow)
    calls = [_call([(flow, chosen[flow]) for flow in group], announced) for group in groups.values()]
    return tuple(sorted(calls, key=lambda call: (call.begun, call.legs[0].flow)))


def _note(
    message: SipMessage, datagram: Datagram, announced: dict[Endpoint, _Announced], inviters: dict[str, Endpoint]
) -> None:
    """Remember what a message announces: of an INVITE the caller's audio, of an answer the callee's."""
    if message.request == "INVITE":
        inviters.setdefault(message.call_id, datagram.source)
    caller = inviters.get(message.call_id) == datagram.source
    for media in parse_sdp(message.body):
        address = media.address if media.address not in ("", "0.0.0.0", "::") else datagram.source[0]
        announced[address, media.port] = _Announced(message, CALLER if caller else CALLEE, media)


def _look(datagram: Datagram, flows: dict[Flow, _Seen]) -> None:
    if is_rtcp(datagram.data):
        return
    try:
        packet = parse_rtp(datagram.data)
    except MalformedPacketError:
        return
    flows.setdefault((datagram.source, datagram.target), _Seen()).add(packet, datagram.at)


def _is_rtp(flow: Flow, seen: _Seen, announced: Mapping[Endpoint, _Announced]) -> bool:
    if flow[1] in announced or flow[0] in announced:
        return True
    known = {**STATIC, **USUAL}
    audio = any(kind in known and known[kind].encoding not in SILENT for kind in seen.kinds)
    return audio and seen.longest >= LEAST_PACKETS


def _together(flow: Flow, announced: Mapping[Endpoint, _Announced]) -> object:
    """What the flows of one call share: the dialogue, or else their two ends."""
    at = announced.get(flow[1]) or announced.get(flow[0])
    return at.dialogue.call_id if at is not None else frozenset(flow)


def _call(flows: list[tuple[Flow, _Seen]], announced: Mapping[Endpoint, _Announced]) -> CapturedCall:
    legs = sorted((_leg(flow, seen, announced) for flow, seen in flows), key=lambda leg: (leg.begun, leg.flow))
    legs = sorted(legs, key=lambda leg: leg.name != CALLER)
    said = next((a for flow, _ in flows for a in map(announced.get, reversed(flow)) if a), None)
    parties = (said.dialogue.caller, said.dialogue.callee) if said is not None else ("", "")
    begun, ended = min(seen.first for _, seen in flows), max(seen.last for _, seen in flows)
    return CapturedCall(tuple(_distinct(legs)), begun, ended, parties)


def _leg(flow: Flow, seen: _Seen, announced: Mapping[Endpoint, _Announced]) -> Leg:
    into, out_of = announced.get(flow[1]), announced.get(flow[0])
    said = into or out_of
    if said is None:
        return Leg(f"{flow[0][0]}:{flow[0][1]}", flow, {**STATIC, **USUAL}, seen.first)
    # Whoever receives says what it understands; what the sender announced helps where both use the same numbers.
    formats = {**STATIC, **(out_of.media.formats if out_of else {}), **(into.media.formats if into else {})}
    speaks = {CALLER: CALLEE, CALLEE: CALLER}[into.by] if into is not None else said.by
    known = any(kind in formats and formats[kind].encoding not in SILENT for kind in seen.kinds)
    return Leg(speaks, flow, formats, seen.first, known, said.media.encrypted, said.media.unknown)


def _distinct(legs: Iterable[Leg]) -> Iterable[Leg]:
    """The same legs, with names that differ."""
    used: dict[str, int] = {}
    for leg in legs:
        used[leg.name] = used.get(leg.name, 0) + 1
        number = used[leg.name]
        yield leg if number == 1 else replace(leg, name=f"{leg.name}-{number}")
