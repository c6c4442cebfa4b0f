"""Calls as SIP announces them: who calls whom, from when to when, and where each party receives its audio."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass

from monitor.captures.ip_packets import Endpoint
from monitor.captures.sip import SipMessage
from monitor.rtp.payload import DYNAMIC, PayloadFormat
from monitor.rtp.sdp import SdpMedia, parse_sdp

CALLER, CALLEE = "caller", "callee"
OTHER = {CALLER: CALLEE, CALLEE: CALLER}
MOST_MESSAGES = 200_000
_ENDINGS = ("BYE", "CANCEL")


@dataclass
class Dialogue:
    """One call. begun, ended: seconds since 1970; ended is infinite while nobody hung up. whole: it was seen from its
    first INVITE on.
    """

    call_id: str
    parties: tuple[str, str]
    begun: float
    caller_tag: str
    whole: bool
    ended: float = float("inf")


@dataclass(frozen=True, slots=True)
class AnnouncedMedia:
    """Audio that a message announces. by: caller or callee, who receives it. at: when, seconds since 1970."""

    dialogue: Dialogue
    by: str
    media: SdpMedia
    at: float


class Announcements:
    """The media that the descriptions of a capture announce, oldest first."""

    def __init__(self) -> None:
        self._at: dict[Endpoint, list[AnnouncedMedia]] = {}
        self._behind: dict[Endpoint, list[AnnouncedMedia]] = {}
        """By the address that the message came from, since NAT leaves what stands in a description as it is; and by the
        candidates of ICE."""

    def add(self, media: AnnouncedMedia, source: Endpoint) -> None:
        """Take one. source: of its message."""
        end = _end(media.media.address, media.media.port, source)
        self._at.setdefault(end, []).append(media)
        ice = (_end(address, port, source) for address, port in media.media.candidates)
        for seen in {(source[0], media.media.port), *ice} - {end}:
            self._behind.setdefault(seen, []).append(media)

    def of(self, end: Endpoint) -> list[AnnouncedMedia]:
        """Return the announcements of an end."""
        return self._at.get(end) or self._behind.get(end, [])

    def keys(self, dialogue: Dialogue, party: str) -> list[str]:
        """Return the keys of what a party sends, which stand in its own descriptions (RFC 4568, section 6.1)."""
        said = (a for some in self._at.values() for a in some if a.dialogue is dialogue and a.by == party)
        return list(dict.fromkeys(key for a in said for key in a.media.keys))

    def agreed_formats(self) -> dict[int, PayloadFormat]:
        """Return the dynamic payload types that mean the same wherever they are described."""
        found: dict[int, set[PayloadFormat]] = {}
        for some in self._at.values():
            for said in some:
                for kind, form in said.media.formats.items():
                    found.setdefault(kind, set()).add(form)
        return {kind: forms.pop() for kind, forms in found.items() if len(forms) == 1 and kind >= DYNAMIC}


class Dialogues:
    """Takes the SIP messages of a capture in any order. counts: messages that were too many."""

    def __init__(self, counts: Counter[str]) -> None:
        self.messages = 0
        self._counts = counts
        self._kept: list[tuple[float, int, SipMessage, Endpoint]] = []

    def take(self, message: SipMessage, at: float, source: Endpoint) -> None:
        """Note a message that came from there at that time."""
        self.messages += 1
        if not message.body and message.method not in ("INVITE", *_ENDINGS):
            return
        if len(self._kept) >= MOST_MESSAGES:
            self._counts[f"SIP messages beyond {MOST_MESSAGES}"] += 1
            return
        self._kept.append((at, self.messages, message, source))

    def announced(self) -> Announcements:
        """Return what the messages announce."""
        dialogues: dict[str, Dialogue] = {}
        found = Announcements()
        for at, _, message, source in sorted(self._kept, key=lambda kept: kept[:2]):
            dialogue = dialogues.get(message.call_id)
            whole = message.request == "INVITE" and not message.to_tag
            again = dialogue is not None and at > dialogue.ended and message.from_tag != dialogue.caller_tag
            if dialogue is None or (whole and again):
                parties = message.caller, message.callee
                dialogue = Dialogue(message.call_id, parties, at, message.from_tag, whole)
                dialogues[message.call_id] = dialogue
            if message.request in _ENDINGS:
                dialogue.ended = at
            elif message.request == "INVITE":
                dialogue.ended = float("inf")
            by = _author(message, dialogue)
            for media in parse_sdp(message.body):
                found.add(AnnouncedMedia(dialogue, by, media, at), source)
        return found


def _author(message: SipMessage, dialogue: Dialogue) -> str:
    """Return the party that wrote the description in a message: that of From in a request, that of To in a response.
    Told by name, and where both parties have the same, by tag.
    """
    name, tag = message.caller, message.from_tag
    if not message.request:
        name, tag = message.callee, message.to_tag
    caller, callee = dialogue.parties
    if caller != callee and name in dialogue.parties:
        return CALLER if name == caller else CALLEE
    return CALLER if tag and tag == dialogue.caller_tag else CALLEE


def _end(address: str, port: int, source: Endpoint) -> Endpoint:
    """Return where audio is received, in the spelling of endpoints(); on hold it is nowhere, and stays where it was
    sent."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return source[0], port
    return source[0] if found.is_unspecified else str(found), port
