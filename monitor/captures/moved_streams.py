"""Streams that go on from another address or port, as behind NAT that binds anew: one call, and one party of it.

A sender keeps its SSRC, its numbers and its timestamps when its address changes (RFC 3550, section 8.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from monitor.captures.captured_call import LegPart
from monitor.captures.ip_packets import Endpoint
from monitor.captures.spool import PacketIndex, PacketSpool, index

HOLD_S = 120.0
"""A stream that pauses for longer, and does not go on with the next number, is another call."""
GOES_ON = 50
"""A stream goes on where no more numbers are missing, or about as many as its pause is long."""
FASTEST = 100
"""Packets a second."""
COMPARED = 50
OFF_S = 1.0
"""Timestamps may go on by so much more or less than the clock of the capture."""

Parties = list[list[LegPart]]
"""The parts of a call, by the party that sends them."""


def most_missing(gap: float) -> float:
    """Return how many numbers may be missing where a stream goes on after so many seconds."""
    return max(GOES_ON, gap * FASTEST) if gap <= HOLD_S else GOES_ON


def join_moved(calls: Sequence[Parties], spool: PacketSpool) -> list[Parties]:
    """Return calls with those made one whose streams go on from another address."""
    joined: dict[int, Parties] = dict(enumerate(calls))
    place = list(range(len(calls)))
    for a, before, b, after in _candidates(calls):
        into, out_of = _root(place, a), _root(place, b)
        if into != out_of and _goes_on(before, after, spool):
            place[out_of] = into
            joined[into] = _merged(joined[into], joined.pop(out_of), before, after)
    return list(joined.values())


def _root(place: list[int], i: int) -> int:
    while place[i] != i:
        i = place[i]
    return i


def _candidates(calls: Sequence[Parties]) -> Iterator[tuple[int, LegPart, int, LegPart]]:
    """Yield streams of two calls of one SSRC, one after the other: of those to or from the same end, and of all."""
    shared: dict[tuple[int, str, Endpoint], list[tuple[int, LegPart]]] = {}
    for i, parties in enumerate(calls):
        for part in (part for parts in parties for part in parts):
            source, target = part.flow
            for key in (("from", source), ("to", target), ("", ("", 0))):
                shared.setdefault((part.log.ssrc, *key), []).append((i, part))
    for some in shared.values():
        for (a, before), (b, after) in pairwise(sorted(some, key=lambda one: one[1].spans[0].begin)):
            if a != b:
                yield a, before, b, after


def _goes_on(part: LegPart, other: LegPart, spool: PacketSpool) -> bool:
    """Return whether two streams are packets of one sender, which was never at both places."""
    some, more = ({data[2:4] for _, _, _, data, _ in p.log.read(spool, COMPARED)} for p in (part, other))
    if part.flow == other.flow or some & more:
        return False
    rates = {form.clock_rate for p in (part, other) for kind in p.log.kinds if (form := p.formats.get(kind))}
    found = [_inside(index(p.log, spool), p) for p in (part, other)]
    return len(rates) == 1 and _one_after_the_other(found[0], found[1], rates.pop())


def _inside(packets: PacketIndex, part: LegPart) -> PacketIndex:
    return packets.take((packets.at >= part.begin) & (packets.at < part.end))


def _one_after_the_other(some: PacketIndex, more: PacketIndex, clock_rate: int) -> bool:
    """Return whether numbers and timestamps go on wherever the packets change from one place to the other."""
    order = np.argsort(np.concatenate([some.at, more.at]), kind="stable")
    at, sequence, timestamp = (
        np.concatenate([getattr(some, name), getattr(more, name)])[order] for name in ("at", "sequence", "timestamp")
    )
    change = np.flatnonzero(np.diff((order >= len(some)).astype(np.int8)))
    gaps = at[change + 1] - at[change]
    numbers = sequence[change + 1] - sequence[change] & 0xFFFF
    ticks = (timestamp[change + 1] - timestamp[change] + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
    most = np.array([most_missing(gap) for gap in gaps.tolist()])
    right = (numbers > 0) & (numbers <= most) & (np.abs(ticks / clock_rate - gaps) <= OFF_S)
    return bool(len(change)) and bool(right.all())


def _merged(call: Parties, later: Parties, before: LegPart, after: LegPart) -> Parties:
    """Return both as one call: who sends from an address that is known is that party, and who is left is the other."""
    whole, rest = [list(parts) for parts in call], list[list[LegPart]]()
    home = next(parts for parts in whole if any(part is before for part in parts))
    for parts in sorted(later, key=lambda parts: not any(part is after for part in parts)):
        if any(part is after for part in parts):
            home += parts
            continue
        sources = {part.flow[0] for part in parts}
        known = [mine for mine in whole if sources & {part.flow[0] for part in mine}]
        into = known or [mine for mine in whole if mine is not home]
        if len(into) == 1:
            into[0].extend(parts)
        else:
            rest.append(parts)
    return whole + rest


def by_source(parts: Sequence[LegPart]) -> Parties:
    """Return the parts of a call between two ends, by who sends them."""
    found: dict[Endpoint, list[LegPart]] = {}
    for part in sorted(parts, key=lambda part: part.spans[0].begin):
        found.setdefault(part.flow[0], []).append(part)
    return list(found.values())


def moves(parts: Sequence[LegPart]) -> list[tuple[float, Endpoint]]:
    """Return when a party began to send from another address, seconds since 1970, and from which."""
    events = sorted((part.spans[0].begin, part.flow[0]) for part in parts)
    return [(at, source) for (_, before), (at, source) in pairwise(events) if source != before]
