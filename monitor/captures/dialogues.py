"""Calls as SIP announces them: who calls whom, from when to when, and where each party receives its audio."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass

from monitor.captures.ip_packets import Endpoint
from monitor.captures.sip import SipMessage
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

    def announced(self) -> dict[Endpoint, list[AnnouncedMedia]]:
        """Return the announcements of each end, oldest first."""
        dialogues: dict[str, Dialogue] = {}
        found: dict[Endpoint, list[AnnouncedMedia]] = {}
        for at, _, message, source in sorted(self._kept, key=lambda kept: kept[:2]):
            dialogue = dialogues.get(message.call_id)
            if dialogue is None:
                whole = message.request == "INVITE" and not message.to_tag
                parties = message.caller, message.callee
                dialogue = Dialogue(message.call_id, parties, at, message.from_tag, whole)
                dialogues[message.call_id] = dialogue
            if message.request in _ENDINGS:
                dialogue.ended = at
            elif message.request == "INVITE":
                dialogue.ended = float("inf")
            by = _author(message, dialogue)
            for media in parse_sdp(message.body):
                end = _end(media, source)
                found.setdefault(end, []).append(AnnouncedMedia(dialogue, by, media, at))
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


def _end(media: SdpMedia, source: Endpoint) -> Endpoint:
    """Return where audio is received, in the spelling of endpoints(); on hold it is nowhere, and stays where it was
    sent."""
    try:
        address = ipaddress.ip_address(media.address)
    except ValueError:
        return source[0], media.port
    return source[0] if address.is_unspecified else str(address), media.port
