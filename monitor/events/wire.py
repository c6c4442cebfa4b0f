"""Events as one flat JSON object each, and the ZeroMQ topics under which they travel.

The envelope (type, call, channel, sample, seq, epoch, time) comes first, then what belongs to the type, sorted by
name. Equal events give equal bytes: `time` and `epoch` are the only fields that depend on the wall clock. An event
with seq 0 stands outside the numbering (heartbeats, faults of sinks): it is a function of this run of the program
and not of the audio, so it goes to live transports only and never into a journal.
"""

from __future__ import annotations

import json
import math
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from json.encoder import c_make_encoder  # type: ignore[attr-defined]
from json.encoder import encode_basestring as _quoted
from numbers import Integral, Real

from monitor.errors import BadInputError
from monitor.types import Event

ENVELOPE = ("type", "call", "channel", "sample", "seq", "epoch", "time")
RESERVED = frozenset((*ENVELOPE, "prev", "snapshot", "unjournaled", "after", "crc", "chain"))
"""Names that no data may have: the envelope, what a transport adds, and what a journal adds."""
KINDS = ("alert", "call", "health", "score", "state")
HEALTH = "health"
LONGEST_TOPIC_NAME = 240
"""UTF-8 bytes of a call's or channel's name in a topic; a topic has at most 489."""
HASH_DIGITS = 32

SNAPSHOT, UNJOURNALED = ',"snapshot":true', ',"unjournaled":true'

_UNSAFE = re.compile(r"[^\w-]")
_ADDRESS = re.compile(r"tcp://[^\s/]+:(\*|[0-9]{1,5})|ipc://\S.*")


@dataclass(frozen=True, slots=True)
class Message:
    """An event as it came from the publisher.

    prev: seq of the message before it on the same topic, 0 for the first. snapshot: sent again because somebody
    subscribed late; its seq and time are those of the original. raw: the JSON as received.
    """

    topic: str
    event: Event
    prev: int
    snapshot: bool
    raw: bytes


def check(event: Event) -> None:
    """Raise ValueError for a type that has no topic or data that would overwrite the envelope."""
    if kind(event) not in KINDS:
        raise ValueError(f"unknown event type {event.type!r}")
    if not RESERVED.isdisjoint(event.data):
        raise ValueError(f"{event.type}: data must not contain {sorted(RESERVED.intersection(event.data))}")


def kind(event: Event) -> str:
    """Return the first word of the type: alert, call, health, score or state."""
    return event.type.partition(".")[0]


@lru_cache(maxsize=10_000)
def topic_name(name: str) -> str:
    """Return a call or channel name as it stands in a topic: letters, digits, "-" and "_", the UTF-8 bytes of all else
    as %XX.

    Two names never give one topic. "" becomes "%"; a name that would take more than LONGEST_TOPIC_NAME bytes is cut and
    ends in "%~" and the beginning of its SHA-256.
    """
    encoded = _UNSAFE.sub(_percent, name) or "%"
    raw = encoded.encode()
    if len(raw) <= LONGEST_TOPIC_NAME:
        return encoded
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_DIGITS]
    return f"{raw[: LONGEST_TOPIC_NAME - HASH_DIGITS - 2].decode(errors='ignore')}%~{digest}"


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def topic(event: Event) -> str:
    """Return the topic: `health`, `call.<call>`, or `<kind>.<call>.<channel>`."""
    word = kind(event)
    if word == HEALTH:
        return word
    if word == "call":
        return f"{word}.{topic_name(event.call)}"
    return f"{word}.{topic_name(event.call)}.{topic_name(event.channel)}"


def check_address(address: str) -> None:
    """Raise BadInputError for what is not a ZeroMQ endpoint; libzmq itself takes port 99999 for 34463."""
    found = _ADDRESS.fullmatch(address)
    if found is None or int((found[1] or "0").replace("*", "0")) > 65_535:
        raise BadInputError(f"{address!r} is not an address", "write tcp://HOST:PORT, such as tcp://127.0.0.1:5556")


def encode(event: Event, prev: int | None = None, snapshot: bool = False) -> bytes:
    """Return one JSON object (RFC 8259) in UTF-8 without a line end; a number that is not finite becomes null."""
    previous = "" if prev is None else f',"prev":{prev}'
    text = (
        f'{{"type":{_quoted(event.type)},"call":{_quoted(event.call)},"channel":{_quoted(event.channel)},'
        f'"sample":{event.sample},"seq":{event.seq}{previous},'
        f'"epoch":{_quoted(event.epoch)},"time":{_quoted(event.time)}'
        f"{SNAPSHOT if snapshot else ''}{UNJOURNALED if event.unjournaled else ''}"
    )
    text += f",{_dumps(event.data)[1:]}" if event.data else "}"
    # Only lone surrogates (from undecodable file names) cannot be UTF-8; a backslash escape is what JSON has for them.
    return text.encode("utf-8", "backslashreplace")


def decode(raw: bytes, on_topic: str = "") -> Message:
    """Decode what encode() wrote. Raises BadInputError for anything that is not such an object.

    Types and fields that this version does not know are kept, so that an old subscriber survives a new publisher.
    """
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"not an event: {error}") from error
    if not isinstance(fields, dict):
        raise BadInputError("not an event: not a JSON object")
    data = {key: value for key, value in fields.items() if key not in RESERVED}
    event = Event(
        type=_text(fields, "type"),
        call=_text(fields, "call"),
        channel=_text(fields, "channel"),
        sample=_count(fields, "sample"),
        data=data,
        seq=_count(fields, "seq"),
        epoch=_text(fields, "epoch"),
        time=_text(fields, "time"),
        unjournaled=fields.get("unjournaled") is True,
    )
    prev = _count(fields, "prev") if "prev" in fields else 0
    return Message(on_topic or topic(event), event, prev, fields.get("snapshot") is True, raw)


def utc_now() -> str:
    """Return UTC as ISO 8601 with microseconds and Z."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def alert_started(event: Event) -> str:
    """Return when the alert of this event opened, as ISO 8601 in UTC: its duration before the event's time."""
    began = datetime.fromisoformat(event.time) - timedelta(seconds=float(str(event.data["duration_s"])))
    return began.isoformat().replace("+00:00", "Z")


def new_epoch() -> str:
    """Return a name for this run of the program: its start in UTC and a random suffix, such as
    20260131T120000Z-9f3c1a."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


class SharedData(dict[str, object]):
    """Data of an event that several sinks encode: it is encoded once. Nobody changes it."""

    __slots__ = ("encoded",)
    encoded: str


def _dumps(data: Mapping[str, object]) -> str:
    if isinstance(data, SharedData):
        try:
            return data.encoded
        except AttributeError:
            data.encoded = _encoded(data)
            return data.encoded
    return _encoded(data if isinstance(data, dict) else dict(data))


def _encoded(data: dict[str, object]) -> str:
    try:
        return _json(data)
    except ValueError:
        return _json(_finite(data))


def _json(value: object) -> str:
    return "".join(_MADE(value, 0)) if _MADE else _JSON.encode(value)


def _plain(value: object) -> object:
    if isinstance(value, Integral):  # numpy's scalars, which are registered as such
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _finite(value: object) -> object:
    if isinstance(value, Real) and not isinstance(value, Integral):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _text(fields: Mapping[str, object], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise BadInputError(f"not an event: {key} must be text")
    return value


def _count(fields: Mapping[str, object], key: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadInputError(f"not an event: {key} must be a whole number from 0 up")
    return value


_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True, default=_plain)
_MADE = c_make_encoder and c_make_encoder(None, _plain, _quoted, None, ":", ",", True, False, False)
"""What JSONEncoder makes anew for each object, which takes as long as to encode it; None without C."""
