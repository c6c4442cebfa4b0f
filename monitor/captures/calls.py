"""The calls of a capture: which streams belong together, and who is who.

Streams whose ends SIP and SDP in the same file announce are taken as announced, from the INVITE to the BYE. Other
streams count as RTP when their packets look like it; a flow and its answer are the two sides of a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.captures.captured_call import CapturedCall, Leg, LegPart
from monitor.captures.dialogues import CALLER, OTHER, AnnouncedMedia, Dialogue
from monitor.captures.ip_packets import Endpoint, endpoints
from monitor.captures.payload_guess import OPUS, StreamLook, look, refusal
from monitor.captures.scan import LEAST_PACKETS, Scan
from monitor.captures.spool import SPLIT_S, Span, StreamLog
from monitor.captures.srtp import fitting_key
from monitor.rtp.payload import SILENT, STATIC, USUAL, PayloadFormat

EARLY_S, LATE_S = 2.0, 5.0
"""Packets may come so long before the INVITE of their call, and after its BYE."""
HOLD_S = 120.0
"""A stream that pauses for longer, and does not go on with the next number, is another call."""
TOGETHER_S = 2.0
"""Streams of one flow that are there at once for longer are two voices."""
_GOES_ON = 50
VIDEO = frozenset({25, 26, 28, 31, 32, 33, 34})
"""Payload types of video (RFC 3551, table 5)."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A part of a stream that a dialogue announces. speaker: caller or callee. line: of the description."""

    part: LegPart
    dialogue: Dialogue
    speaker: str
    line: int


@dataclass(frozen=True, slots=True)
class FoundCalls:
    """calls: those of which something can be decoded, by their beginning. silent: other calls. strange: RTP streams of
    payload types that nothing describes, with their look.
    """

    calls: tuple[CapturedCall, ...]
    silent: tuple[CapturedCall, ...]
    strange: tuple[tuple[StreamLog, StreamLook], ...]


def find_calls(found: Scan, formats: Mapping[int, PayloadFormat] | None = None) -> FoundCalls:
    """Return the calls of a capture. formats: what payload types mean that nothing in the capture describes."""
    announced = found.dialogues.announced()
    by_dialogue: dict[str, list[_Said]] = {}
    others: list[LegPart] = []
    strange: list[tuple[StreamLog, StreamLook]] = []
    for log in found.logs:
        said, rest = _announced_parts(log, announced, found)
        for one in said:
            by_dialogue.setdefault(one.dialogue.call_id, []).append(one)
        if rest and log.packets >= LEAST_PACKETS:
            looked = look(log, found.spool)
            known = {**STATIC, **USUAL, **dict.fromkeys(looked.opus, OPUS), **(formats or {})}
            if looked.rtp and not VIDEO.issuperset(log.kinds):
                encrypted = looked.encrypted or log.ends in found.keyed
                refused = refusal(log, found.spool, known)
                others += [replace(part, formats=known, encrypted=encrypted, refused=refused) for part in rest]
                if not any(kind in known for kind in log.kinds):
                    strange.append((log, looked))
    calls = [_dialogue_call(parts) for parts in by_dialogue.values()]
    calls += [_flow_call(parts) for parts in _pair(_by_time(others))]
    calls.sort(key=lambda call: (call.begun, call.legs[0].parts[0].flow))
    part_of_one = {id(p.log) for c in calls if any(leg.audible for leg in c.legs) for leg in c.legs for p in leg.parts}
    return FoundCalls(
        tuple(call for call in calls if any(leg.audible for leg in call.legs)),
        tuple(call for call in calls if not any(leg.audible for leg in call.legs) and _is_audio(call)),
        tuple((log, looked) for log, looked in strange if id(log) not in part_of_one),
    )


def _is_audio(call: CapturedCall) -> bool:
    """Return whether it is known what any of its packets is."""
    return any(kind in part.formats for leg in call.legs for part in leg.parts for kind in part.log.kinds)


def _announced_parts(
    log: StreamLog, announced: Mapping[Endpoint, Sequence[AnnouncedMedia]], found: Scan
) -> tuple[list[_Said], list[LegPart]]:
    """Return the parts of a stream that belong to dialogues, and what belongs to none."""
    source, target = endpoints(log.ends)
    here = [*announced.get(target, ()), *announced.get(source, ())]
    whole = LegPart(log, float("-inf"), float("inf"), tuple(log.spans), {})
    if not here:
        return [], [whole]
    dialogues = sorted({id(a.dialogue): a.dialogue for a in here}.values(), key=lambda d: d.begun)
    said, rest, free_from = list[_Said](), list[LegPart](), float("-inf")
    for i, dialogue in enumerate(dialogues):
        begin = max(free_from, dialogue.begun - EARLY_S) if dialogue.whole or i else float("-inf")
        following = dialogues[i + 1].begun if i + 1 < len(dialogues) else float("inf")
        end = max(begin, min(following, dialogue.ended + LATE_S))
        rest += _cut(whole, free_from, begin)
        free_from = end
        into = _newest(announced.get(target, ()), dialogue)
        out_of = _newest(announced.get(source, ()), dialogue)
        first = into or out_of
        if first is None:
            continue
        # Whoever receives says what it understands; what the sender announced helps where both use the same numbers.
        formats = {**STATIC, **(out_of.media.formats if out_of else {}), **(into.media.formats if into else {})}
        both = into is not None and out_of is not None and bool(into.media.keys and out_of.media.keys)
        encrypted = first.media.encrypted or both or log.ends in found.keyed
        speaker = OTHER[into.by] if into is not None else first.by
        key = fitting_key(log, found.spool, _keys(announced, dialogue, speaker)) if encrypted else ""
        closed = encrypted and not key
        refused = "" if encrypted else refusal(log, found.spool, formats)
        parts = [
            replace(p, formats=formats, encrypted=closed, key=key, refused=refused) for p in _cut(whole, begin, end)
        ]
        said += [_Said(part, dialogue, speaker, first.media.line) for part in parts]
    return said, rest + _cut(whole, free_from, float("inf"))


def _keys(announced: Mapping[Endpoint, Sequence[AnnouncedMedia]], dialogue: Dialogue, speaker: str) -> list[str]:
    """Return the keys of what a party sends, which stand in its own descriptions (RFC 4568, section 6.1)."""
    said = (a for some in announced.values() for a in some if a.dialogue is dialogue and a.by == speaker)
    return list(dict.fromkeys(key for a in said for key in a.media.keys))


def _newest(announced: Sequence[AnnouncedMedia], dialogue: Dialogue) -> AnnouncedMedia | None:
    return next((a for a in reversed(announced) if a.dialogue is dialogue), None)


def _cut(part: LegPart, begin: float, end: float) -> list[LegPart]:
    """Return a part between two moments: none, or one."""
    spans = []
    for span in part.spans:
        inside = min(end, span.end) - max(begin, span.begin)
        if inside < 0 or span.begin >= end:
            continue
        whole = span.end - span.begin
        share = inside / whole if whole else 1.0
        if packets := max(1, round(share * span.packets)) if share else 0:
            spans.append(Span(max(begin, span.begin), min(end, span.end), packets, span.first, span.last))
    return [replace(part, begin=begin, end=end, spans=tuple(spans))] if spans else []


def _by_time(parts: Iterable[LegPart]) -> list[list[LegPart]]:
    """Parts that nothing announces, by the call that they are of: those of two ends without a long pause between."""
    pairs: dict[frozenset[Endpoint], list[LegPart]] = {}
    for part in parts:
        pairs.setdefault(frozenset(part.flow), []).append(part)
    calls: list[list[LegPart]] = []
    for group in pairs.values():
        events = sorted(((span, part) for part in group for span in part.spans), key=lambda event: event[0].begin)
        begin, end, newest = float("-inf"), float("-inf"), dict[int, Span]()
        bounds = []
        for span, part in events:
            before = newest.get(id(part.log))
            gap = span.begin - end
            goes_on = before and (gap <= HOLD_S or 0 < (span.first - before.last & 0xFFFF) <= _GOES_ON)
            if gap > SPLIT_S and not goes_on:
                bounds.append(begin := span.begin)
            end = max(end, span.end)
            newest[id(part.log)] = span
        for i, begin in enumerate(bounds):
            until = bounds[i + 1] if i + 1 < len(bounds) else float("inf")
            members = [inside for part in group for inside in _cut(part, begin, until)]
            members = [part for part in members if part.packets >= LEAST_PACKETS]
            if members:
                calls.append(members)
    return calls


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


def _dialogue_call(said: list[_Said]) -> CapturedCall:
    """Each audio line of a party is a channel of its own: a recorder (SIPREC, RFC 7866) gets both people from one."""
    legs = list[Leg]()
    for name in (CALLER, OTHER[CALLER]):
        lines = sorted({one.line for one in said if one.speaker == name})
        each = [[one.part for one in said if (one.speaker, one.line) == (name, line)] for line in lines]
        mine = [leg for parts in each for leg in _legs(name, parts)]
        legs += [replace(leg, name=name if i == 1 else f"{name}-{i}") for i, leg in enumerate(mine, 1)]
    return _call(legs, said[0].dialogue.parties)


def _flow_call(parts: list[LegPart]) -> CapturedCall:
    flows: dict[tuple[Endpoint, Endpoint], list[LegPart]] = {}
    for part in sorted(parts, key=lambda part: part.spans[0].begin):
        flows.setdefault(part.flow, []).append(part)
    legs = [leg for flow, some in flows.items() for leg in _legs(f"{flow[0][0]}:{flow[0][1]}", some)]
    return _call(legs, ("", ""))


def _call(legs: list[Leg], parties: tuple[str, str]) -> CapturedCall:
    spans = [span for leg in legs for part in leg.parts for span in part.spans]
    return CapturedCall(tuple(legs), min(s.begin for s in spans), max(s.end for s in spans), parties)


def _legs(name: str, parts: list[LegPart]) -> list[Leg]:
    """Return one channel for a party; more where a flow carries several voices at once."""
    speech = [p for p in parts if not all(_is_silent(p.formats.get(kind)) for kind in p.log.kinds)]
    lanes: list[list[LegPart]] = []
    for part in sorted(speech or parts, key=lambda part: (part.spans[0].begin, part.flow)):
        lane = next((lane for lane in lanes if not any(_at_once(part, other) for other in lane)), None)
        if lane is None:
            lanes.append(lane := [])
        lane.append(part)
    return [Leg(name if i == 0 else f"{name}-{i + 1}", tuple(lane)) for i, lane in enumerate(lanes)]


def _is_silent(form: PayloadFormat | None) -> bool:
    return form is not None and form.encoding in SILENT


def _at_once(part: LegPart, other: LegPart) -> bool:
    """Return whether two streams of the same flow are two voices."""
    if part.flow != other.flow or part.log is other.log:
        return False
    both = [min(a.end, b.end) - max(a.begin, b.begin) for a in part.spans for b in other.spans]
    return sum(s for s in both if s > 0) > TOGETHER_S
