"""Messages of an AudioHook client: their envelope, durations, and the media that it offers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from monitor.limits.json_text import read_json
from monitor.taps.peer_names import named

VERSION = "2"
RATE = 8000
"""Hz, of all audio."""
EXTERNAL, INTERNAL = "external", "internal"
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The conversation of a connection probe."""
MOST_OFFERS = 50
RATE_LIMITED = 429
ERROR_CODES = (400, 405, 408, 409, 413, 415, RATE_LIMITED, 500, 503)
"""The codes that a client may send."""
CLOSE_REASONS: Mapping[str, str] = {
    "end": "the conversation is over",
    "error": "the client closed it for an error",
    "disconnect": "the monitor disconnected",
    "reconnect": "the client reconnects",
}

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DURATION = re.compile(r"PT(?=\.?[0-9])([0-9]{0,9}(?:\.[0-9]{0,30})?)S")


class ProtocolError(Exception):
    """A violation of the protocol; the text says which, and contains nothing that the peer wrote. unauthorized: the
    peer is not the one named by the signature of its request.
    """

    def __init__(self, reason: str, *, unauthorized: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.unauthorized = reason, unauthorized


@dataclass(frozen=True, slots=True)
class AudiohookMessage:
    """position: samples at RATE, on the clock of the client's audio."""

    type: str
    id: str
    seq: int
    serverseq: int
    position: int
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AudiohookMedia:
    """Audio in PCMU at RATE; its channels in the order in which they are interleaved."""

    channels: tuple[str, ...]

    def offer(self) -> dict[str, object]:
        """Return the offer as it stands in messages."""
        return {"type": "audio", "format": "PCMU", "channels": list(self.channels), "rate": RATE}


def parse_message(text: str) -> AudiohookMessage:
    """Parse a message. Raises ProtocolError, and nothing else."""
    try:
        fields = read_json(text, _no_number)
    except ValueError as error:
        raise ProtocolError("a message that is not JSON") from error
    if not isinstance(fields, dict) or fields.get("version") != VERSION:
        raise ProtocolError("a message of another version than 2")
    kind, parameters = fields.get("type"), fields.get("parameters")
    if not isinstance(kind, str) or not isinstance(parameters, dict):
        raise ProtocolError("a message without a type or parameters")
    return AudiohookMessage(
        kind,
        read_uuid(fields.get("id"), "id"),
        _number(fields.get("seq"), "seq"),
        _number(fields.get("serverseq"), "serverseq"),
        read_duration(fields.get("position"), "position"),
        parameters,
    )


def _no_number(constant: str) -> NoReturn:
    raise ValueError(constant)


def _number(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ProtocolError(f"a message whose {name} is not a number")
    return value


def read_uuid(value: object, name: str) -> str:
    """Validate a UUID and return it in lower case. Raises ProtocolError."""
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise ProtocolError(f"a message whose {name} is not a UUID")
    return value.lower()


def read_duration(value: object, name: str) -> int:
    """Return the samples at RATE of a text such as "PT1.5S". Raises ProtocolError."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ProtocolError(f"a message whose {name} is not a duration")
    return round(float(found[1]) * RATE)


def write_duration(samples: int) -> str:
    """Return the text for so many samples at RATE."""
    return f"PT{samples / RATE:.6f}".rstrip("0").rstrip(".") + "S"


def choose(offers: object) -> AudiohookMedia:
    """Return both channels where they are offered, else the first one that is. Raises ProtocolError."""
    if not isinstance(offers, Sequence) or isinstance(offers, str):
        raise ProtocolError("an open without media")
    usable = [media for offer in offers[:MOST_OFFERS] if (media := _read_offer(offer)) is not None]
    if not usable:
        raise ProtocolError("an open that offers no PCMU at 8000 Hz")
    return max(usable, key=lambda media: len(media.channels))


def _read_offer(offer: object) -> AudiohookMedia | None:
    """Return None for what this monitor does not hear."""
    if not isinstance(offer, dict) or not isinstance(offer.get("channels"), list):
        return None
    channels = tuple(name for name in offer["channels"] if name in (EXTERNAL, INTERNAL))
    media = AudiohookMedia(channels)
    distinct = len(set(channels)) == len(channels) > 0
    return media if distinct and all(offer.get(k) == v for k, v in media.offer().items()) else None


def call_details(parameters: Mapping[str, Any], session: str, correlation: str) -> dict[str, str]:
    """Return the details of a call that alerts carry. Names come from a caller: they are made safe to show."""
    found = {"organization": parameters["organizationId"], "conversation": parameters["conversationId"]}
    found |= {"session": session, "correlation": correlation}
    participant = parameters.get("participant")
    if isinstance(participant, dict):
        found |= {"participant": participant.get("id")} | {k: participant.get(k) for k in ("ani", "aniName", "dnis")}
    found["language"] = parameters.get("language")
    return {name: text for name, value in found.items() if (text := named(value))}
