"""Calls out of streams that nothing announces: a flow and its answer, apart by time, each once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.captures.captured_call import CapturedCall, Leg, LegPart, cut
from monitor.captures.ip_packets import Endpoint
from monitor.captures.moved_streams import COMPARED, Parties, by_source, join_moved, most_missing
from monitor.captures.scan import LEAST_PACKETS
from monitor.captures.spool import SPLIT_S, PacketSpool, Span

FRESH_S = 2.0
"""After such a pause of both sides, streams that are new on both sides are another call."""
ALIKE, COPIED_S = 0.8, 0.5
"""Share of the packets that is the same in copies of a stream, and how far apart copies begin."""


def calls_of(parts: Iterable[LegPart], spool: PacketSpool) -> list[Parties]:
    """Return parts by the call that they are of: those of two ends without a long pause between."""
    pairs: dict[frozenset[Endpoint], list[LegPart]] = {}
    for part in parts:
        pairs.setdefault(frozenset(part.flow), []).append(part)
    calls = _pair([call for group in pairs.values() for call in _by_time(group)])
    return join_moved([by_source(call) for call in calls], spool)


def _by_time(group: Sequence[LegPart]) -> Iterable[list[LegPart]]:
    """Yield the calls between two ends."""
    events = sorted(((span, part) for part in group for span in part.spans), key=lambda event: event[0].begin)
    bounds, end, newest = list[float](), float("-inf"), dict[int, Span]()
    for i, (span, part) in enumerate(events):
        gap = span.begin - end
        before = newest.get(id(part.log))
        ended = gap > SPLIT_S and not (_goes_on(before, span, gap) or _set_back(before, span))
        if ended or (gap > FRESH_S and _all_new(events[:i], events[i:])):
            bounds.append(span.begin)
        end = max(end, span.end)
        newest[id(part.log)] = span
    for i, begin in enumerate(bounds):
        until = bounds[i + 1] if i + 1 < len(bounds) else float("inf")
        members = [inside for part in group for inside in cut(part, begin, until)]
        members = [part for part in members if part.packets >= LEAST_PACKETS]
        if members:
            yield members


def _goes_on(before: Span | None, span: Span, gap: float) -> bool:
    """Return whether a stream goes on after a pause of so many seconds: with about the next number."""
    if before is None:
        return False
    return 0 < (span.first - before.last & 0xFFFF) <= most_missing(gap)


def _set_back(before: Span | None, span: Span) -> bool:
    """Return whether a stream went on with the earlier of two spans: the clock of the capture was set back."""
    return before is not None and 0 < (before.first - span.last & 0xFFFF) <= most_missing(0.0)


def _all_new(before: Sequence[tuple[Span, LegPart]], after: Sequence[tuple[Span, LegPart]]) -> bool:
    """Return whether both sides spoke before, and no stream of theirs is there any more."""
    logs = {id(part.log) for _, part in before}
    return len({part.log.ends for _, part in before}) > 1 and not any(id(part.log) in logs for _, part in after)


def _pair(calls: list[list[LegPart]]) -> list[list[LegPart]]:
    """Put two one-way flows between the same hosts together: a party may send from another port than it receives at."""
    alone: dict[frozenset[str], list[list[LegPart]]] = {}
    for parts in calls:
        if len({part.flow for part in parts}) == 1:
            alone.setdefault(frozenset(host for host, _ in parts[0].flow), []).append(parts)
    joined: list[list[LegPart]] = []
    for hosts, some in alone.items():
        ways = {parts[0].flow[0][0] for parts in some}
        apart = max(p[0].spans[0].begin for p in some) > min(p[0].spans[-1].end for p in some)
        if len(some) == 2 and len(hosts) == len(ways) == 2 and not apart:
            joined.append(some[0] + some[1])
            calls = [parts for parts in calls if parts is not some[0] and parts is not some[1]]
    return calls + joined


def without_copies(
    calls: Sequence[CapturedCall], others: Sequence[CapturedCall], spool: PacketSpool
) -> tuple[list[CapturedCall], list[CapturedCall]]:
    """Return those of the calls that are none of the others, nor of those before them, seen at another place, such as
    behind NAT or a relay; and those that are.
    """
    kept, copies = list[CapturedCall](), list[CapturedCall]()
    known: dict[int, list[LegPart]] = {}
    for i, call in enumerate([*others, *calls]):
        if i >= len(others):
            is_copy = all(_is_copy(leg, known, spool) for leg in call.legs)
            (copies if is_copy else kept).append(call)
        for part in (part for leg in call.legs for part in leg.parts):
            known.setdefault(part.log.ssrc, []).append(part)
    return kept, copies


def _is_copy(leg: Leg, known: dict[int, list[LegPart]], spool: PacketSpool) -> bool:
    return all(any(_same(part, other, spool) for other in known.get(part.log.ssrc, ())) for part in leg.parts)


def _same(part: LegPart, other: LegPart, spool: PacketSpool) -> bool:
    """Return whether two streams are packets of one: the same numbers and payloads at about the same time."""
    if part.log.ends == other.log.ends or abs(part.spans[0].begin - other.spans[0].begin) > COPIED_S:
        return False
    some, more = ({(data[2:8], data[12:]) for _, _, _, data, _ in p.log.read(spool, COMPARED)} for p in (part, other))
    return len(some & more) >= ALIKE * min(len(some), len(more))
