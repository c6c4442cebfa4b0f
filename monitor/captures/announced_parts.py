"""The parts of a stream that SIP and SDP announce: from the INVITE to the BYE, each with what payloads mean then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from monitor.captures.captured_call import LegPart, cut
from monitor.captures.dialogues import OTHER, AnnouncedMedia, Announcements, Dialogue
from monitor.captures.ip_packets import endpoints
from monitor.captures.payload_guess import refusal
from monitor.captures.scan import Scan
from monitor.captures.spool import StreamLog
from monitor.captures.srtp import fitting_key
from monitor.rtp.payload import STATIC, PayloadFormat

EARLY_S, LATE_S = 2.0, 5.0
"""Packets may come so long before the INVITE of their call, and after its BYE."""


@dataclass(frozen=True, slots=True)
class AnnouncedPart:
    """A part of a stream that a dialogue announces. speaker: caller or callee. line: of the description."""

    part: LegPart
    dialogue: Dialogue
    speaker: str
    line: int


def announced_parts(log: StreamLog, announced: Announcements, found: Scan) -> tuple[list[AnnouncedPart], list[LegPart]]:
    """Return the parts of a stream that belong to dialogues, and what belongs to none."""
    source, target = (announced.of(end) for end in endpoints(log.ends))
    whole = LegPart(log, float("-inf"), float("inf"), tuple(log.spans), {})
    dialogues = sorted({id(a.dialogue): a.dialogue for a in (*target, *source)}.values(), key=lambda d: d.begun)
    parts_found, rest, free_from = list[AnnouncedPart](), list[LegPart](), float("-inf")
    for i, dialogue in enumerate(dialogues):
        begin = max(free_from, dialogue.begun - EARLY_S) if dialogue.whole or i else float("-inf")
        following = dialogues[i + 1].begun if i + 1 < len(dialogues) else float("inf")
        end = max(begin, min(following, _end(log, dialogue)))
        rest += cut(whole, free_from, begin)
        free_from = end
        into, out_of = ([a for a in some if a.dialogue is dialogue] for some in (target, source))
        first = (into or out_of)[-1]
        speaker = OTHER[first.by] if into else first.by
        described = _Described(log, found, into, out_of, announced.keys(dialogue, speaker))
        parts = [described.complete(part) for span in described.bounds(begin, end) for part in cut(whole, *span)]
        parts_found += [AnnouncedPart(part, dialogue, speaker, first.media.line) for part in _joined(parts)]
    return parts_found, rest + cut(whole, free_from, float("inf"))


def _end(log: StreamLog, dialogue: Dialogue) -> float:
    """Return when a stream of a dialogue has ended: after its BYE or CANCEL, unless that was of another branch of a
    call that forked, or refused, so that the stream goes on without a pause.
    """
    end = dialogue.ended + LATE_S
    return max([end, *(span.end + LATE_S for span in log.spans if span.begin < end < span.end)])


@dataclass(frozen=True, slots=True)
class _Described:
    """The description of a stream in one dialogue. into, out_of: descriptions of its target and its source, oldest
    first. keys: lines that may decrypt it.
    """

    log: StreamLog
    found: Scan
    into: list[AnnouncedMedia]
    out_of: list[AnnouncedMedia]
    keys: list[str]

    def bounds(self, begin: float, end: float) -> Iterator[tuple[float, float]]:
        """Yield the times between which no description changes."""
        changes = sorted({a.at for a in (*self.into[1:], *self.out_of[1:]) if begin < a.at < end})
        return pairwise([begin, *changes, end])

    def complete(self, part: LegPart) -> LegPart:
        """Return a part with what its payloads mean, and how it is encrypted."""
        # Whoever receives says what it understands; what the sender announced helps where both use the same numbers.
        formats = {**STATIC, **_formats(self.out_of, part.begin), **_formats(self.into, part.begin)}
        into, out_of = _newest(self.into, part.begin), _newest(self.out_of, part.begin)
        both = into is not None and out_of is not None and bool(into.media.keys and out_of.media.keys)
        first = into or out_of
        announced = first is not None and first.media.encrypted
        if not (announced or both or self.log.ends in self.found.keyed):
            return replace(part, formats=formats, refused=refusal(self.log, self.found.spool, formats))
        key = fitting_key(self.log, self.found.spool, self.keys, part.begin)
        return replace(part, formats=formats, encrypted=not key, key=key)


def _newest(announced_media: list[AnnouncedMedia], at: float) -> AnnouncedMedia | None:
    """Return the newest description of that time; the first of all before there was one."""
    return next((a for a in reversed(announced_media) if a.at <= at), announced_media[0] if announced_media else None)


def _formats(announced_media: list[AnnouncedMedia], at: float) -> Mapping[int, PayloadFormat]:
    """Return what payload types mean at a time: as they were described last, else as they are described next."""
    later = {kind: form for a in reversed(announced_media) if a.at > at for kind, form in a.media.formats.items()}
    return later | {kind: form for a in announced_media if a.at <= at for kind, form in a.media.formats.items()}


def _joined(parts: list[LegPart]) -> list[LegPart]:
    """Return parts with those put together between which nothing changes for the payloads that there are."""
    joined: list[LegPart] = []
    for part in parts:
        before = joined[-1] if joined else None
        if before is not None and before.end == part.begin and _meaning(before) == _meaning(part):
            joined[-1] = replace(before, end=part.end, spans=before.spans + part.spans)
        else:
            joined.append(part)
    return joined


def _meaning(part: LegPart) -> tuple[object, ...]:
    return [part.formats.get(kind) for kind in part.log.kinds], part.encrypted, part.key, part.refused
