"""The calls of a capture: which streams belong together, and who is who.

Streams whose ends SIP and SDP in the same file announce are taken as announced, from the INVITE to the BYE. Other
streams count as RTP when their packets look like it; a flow and its answer are the two sides of a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.captures.announced_parts import AnnouncedPart, announced_parts
from monitor.captures.captured_call import CapturedCall, Leg, LegPart
from monitor.captures.dialogues import CALLER, OTHER
from monitor.captures.moved_streams import Parties
from monitor.captures.payload_guess import OPUS, StreamLook, look, refusal
from monitor.captures.scan import LEAST_PACKETS, Scan
from monitor.captures.spool import StreamLog
from monitor.captures.unannounced_calls import calls_of, without_copies
from monitor.rtp.payload import SILENT, STATIC, USUAL, PayloadFormat

TOGETHER_S = 2.0
"""Streams of one flow that are there at once for longer are two voices."""
VIDEO = frozenset({25, 26, 28, 31, 32, 33, 34})
"""Payload types of video (RFC 3551, table 5)."""


@dataclass(frozen=True, slots=True)
class FoundCalls:
    """calls: those of which something can be decoded, by their beginning. silent: other calls. unassigned: RTP streams
    of payload types that nothing describes, with their look. copies: calls that are one of the others at another place.
    """

    calls: tuple[CapturedCall, ...]
    silent: tuple[CapturedCall, ...]
    unassigned: tuple[tuple[StreamLog, StreamLook], ...]
    copies: tuple[CapturedCall, ...] = ()


def find_calls(found: Scan, formats: Mapping[int, PayloadFormat] | None = None) -> FoundCalls:
    """Return the calls of a capture. formats: what payload types mean that nothing in the capture describes."""
    announced = found.dialogues.announced()
    agreed = announced.agreed_formats()
    by_dialogue: dict[int, list[AnnouncedPart]] = {}
    others: list[LegPart] = []
    unassigned: list[tuple[StreamLog, StreamLook]] = []
    for log in found.logs:
        announced_list, rest = announced_parts(log, announced, found)
        for one in announced_list:
            by_dialogue.setdefault(id(one.dialogue), []).append(one)
        if rest and log.packets >= LEAST_PACKETS:
            contents = look(log, found.spool, agreed)
            known = {**STATIC, **USUAL, **contents.fitting, **dict.fromkeys(contents.opus, OPUS), **(formats or {})}
            if contents.rtp and not VIDEO.issuperset(log.kinds):
                encrypted = contents.encrypted or log.ends in found.keyed
                refused = refusal(log, found.spool, known)
                others += [replace(part, formats=known, encrypted=encrypted, refused=refused) for part in rest]
                if not any(kind in known for kind in log.kinds):
                    unassigned.append((log, contents))
    calls = [_dialogue_call(parts) for parts in by_dialogue.values()]
    unannounced = [_flow_call(parties) for parties in calls_of(others, found.spool)]
    flow_calls, copies = without_copies(unannounced, calls, found.spool)
    calls += flow_calls
    calls.sort(key=lambda call: (call.begun, call.legs[0].parts[0].flow))
    part_of_one = {id(p.log) for c in calls if any(leg.audible for leg in c.legs) for leg in c.legs for p in leg.parts}
    return FoundCalls(
        tuple(call for call in calls if any(leg.audible for leg in call.legs)),
        tuple(call for call in calls if not any(leg.audible for leg in call.legs) and _is_audio(call)),
        tuple((log, contents) for log, contents in unassigned if id(log) not in part_of_one),
        tuple(copies),
    )


def _is_audio(call: CapturedCall) -> bool:
    """Return whether it is known what any of its packets is."""
    return any(kind in part.formats for leg in call.legs for part in leg.parts for kind in part.log.kinds)


def _dialogue_call(announced_list: list[AnnouncedPart]) -> CapturedCall:
    """Return the call of a dialogue. Each audio line of a party is a channel of its own: a recorder (SIPREC, RFC 7866)
    gets both people from one party.
    """
    legs = list[Leg]()
    for name in (CALLER, OTHER[CALLER]):
        lines = sorted({one.line for one in announced_list if one.speaker == name})
        each = [[one.part for one in announced_list if (one.speaker, one.line) == (name, line)] for line in lines]
        mine = [leg for parts in each for leg in _legs(name, parts)]
        legs += [replace(leg, name=name if i == 1 else f"{name}-{i}") for i, leg in enumerate(mine, 1)]
    return _call(legs, announced_list[0].dialogue.parties)


def _flow_call(parties: Parties) -> CapturedCall:
    legs = list[Leg]()
    for parts in parties:
        host, port = parts[0].flow[0]
        legs += _legs(f"{host}:{port}", parts)
    return _call(legs, ("", ""))


def _call(legs: list[Leg], parties: tuple[str, str]) -> CapturedCall:
    spans = [span for leg in legs for part in leg.parts for span in part.spans]
    return CapturedCall(tuple(legs), min(s.begin for s in spans), max(s.end for s in spans), parties)


def _legs(name: str, parts: list[LegPart]) -> list[Leg]:
    """Return one channel for a party; more where a flow carries several voices at once."""
    speech = [p for p in parts if not all(_is_silent(p.formats.get(kind)) for kind in p.log.kinds)]
    voices: list[list[LegPart]] = []
    for part in sorted(speech or parts, key=lambda part: (part.spans[0].begin, part.flow)):
        voice = next((voice for voice in voices if not any(_at_once(part, other) for other in voice)), None)
        if voice is None:
            voices.append(voice := [])
        voice.append(part)
    return [Leg(name if i == 0 else f"{name}-{i + 1}", tuple(voice)) for i, voice in enumerate(voices)]


def _is_silent(form: PayloadFormat | None) -> bool:
    return form is not None and form.encoding in SILENT


def _at_once(part: LegPart, other: LegPart) -> bool:
    """Return whether two streams of the same flow are two voices."""
    if part.flow != other.flow or part.log is other.log:
        return False
    both = [min(a.end, b.end) - max(a.begin, b.begin) for a in part.spans for b in other.spans]
    return sum(s for s in both if s > 0) > TOGETHER_S
