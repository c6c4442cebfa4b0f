"""The jitter buffer: from packets as they arrive to packets in order, as a function of packets.

A monitor plays nothing, so a packet in its turn goes on at once, however it jittered. Only behind a hole are packets
held; the packet that is missing is given up a fixed time after the hole was seen. Then what was held goes on, and the
packets after it at once again: one loss never raises the delay for good.

Which packet is the first is not known before the same time has passed: until then all are held, since one that was
overtaken at the start would have no place any more.

Sequence numbers are validated as in RFC 3550, appendix A.1: a jump of MAX_DROPOUT or more forward, or of more than
MAX_MISORDER back, is believed when two packets in a row agree on it; the sender has started again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from monitor.rtp.packet import RtpPacket

MAX_DROPOUT = 3000
MAX_MISORDER = 100
MOST_HELD = 250
"""Packets held behind one hole: 5 s of 20 ms packets, more than any delay lets gather."""


@dataclass(frozen=True, slots=True)
class HeldPacket:
    """A packet behind a hole. number: its sequence number, without wrap. arrival: seconds."""

    number: int
    packet: RtpPacket
    arrival: float


class OrderedPacket(NamedTuple):
    """A packet in its turn. lost: packets missing just before it. restarted: numbering began anew with it."""

    packet: RtpPacket
    arrival: float
    lost: int = 0
    restarted: bool = False


@dataclass(frozen=True, slots=True)
class JitterState:
    """The state between packets. turn: number of the next packet, without wrap; None until it is known which
    packet is the first.

    held: by number. suspect: the sequence number that would confirm a restart.
    """

    turn: int | None = None
    held: tuple[HeldPacket, ...] = ()
    suspect: int | None = None


Result = tuple[JitterState, tuple[OrderedPacket, ...]]


def accept(state: JitterState, packet: RtpPacket, arrival: float, give_up_s: float) -> Result:
    """Take a packet that arrived at that time. Returns what is in its turn now."""
    if state.turn is not None and not state.held and packet.sequence == state.turn & 0xFFFF:
        return JitterState(state.turn + 1), (OrderedPacket(packet, arrival),)
    state, expired = expire(state, arrival, give_up_s)
    begun = state.turn is not None
    turn = _reference(state, packet)
    ahead = (packet.sequence - turn + 0x8000 & 0xFFFF) - 0x8000
    if not -MAX_MISORDER <= ahead < MAX_DROPOUT:
        return _suspicious(state, packet, arrival, expired)
    state = replace(state, suspect=None)
    new = HeldPacket(turn + ahead, packet, arrival)
    if ahead < 0 and begun:
        return state, expired  # its turn is over: it comes too late, or a second time
    if ahead == 0 and begun:
        state, ready = _next(state, new, expired)
        return _run(state, ready)
    if any(h.number == new.number for h in state.held):
        return state, expired
    held = tuple(sorted((*state.held, new), key=lambda h: h.number))
    state = replace(state, held=held)
    if len(held) > MOST_HELD:
        state, given_up = _give_up(state)
        return state, expired + given_up
    return state, expired


def _reference(state: JitterState, packet: RtpPacket) -> int:
    """Return the number by which that of a packet is told: of the next one, or of the first so far."""
    if state.turn is not None:
        return state.turn
    return state.held[0].number if state.held else packet.sequence


def expire(state: JitterState, now: float, give_up_s: float) -> Result:
    """Give up what has been missing for so long. To be called now and then while no packets come."""
    ready: tuple[OrderedPacket, ...] = ()
    while state.held and now - min(h.arrival for h in state.held) >= give_up_s:
        state, more = _give_up(state)
        ready += more
    return state, ready


def flush(state: JitterState) -> Result:
    """End the stream: give up everything that is missing."""
    return expire(state, float("inf"), 0.0)


def _next(state: JitterState, held: HeldPacket, before: tuple[OrderedPacket, ...], lost: int = 0) -> Result:
    return replace(state, turn=held.number + 1), (*before, OrderedPacket(held.packet, held.arrival, lost))


def _run(state: JitterState, ready: tuple[OrderedPacket, ...]) -> Result:
    """Add what follows without a hole."""
    while state.held and state.held[0].number == state.turn:
        first, rest = state.held[0], state.held[1:]
        state, ready = _next(replace(state, held=rest), first, ready)
    return state, ready


def _give_up(state: JitterState) -> Result:
    """Go on behind the first hole, or begin."""
    first, rest = state.held[0], state.held[1:]
    lost = 0 if state.turn is None else first.number - state.turn
    return _run(*_next(replace(state, held=rest), first, (), lost))


def _suspicious(state: JitterState, packet: RtpPacket, arrival: float, ready: tuple[OrderedPacket, ...]) -> Result:
    """Take an impossible sequence number; the sender has started again where a second packet follows it."""
    if packet.sequence != state.suspect:
        return replace(state, suspect=packet.sequence + 1 & 0xFFFF), ready
    state, left = flush(state)
    return JitterState(packet.sequence + 1), (*ready, *left, OrderedPacket(packet, arrival, restarted=True))
