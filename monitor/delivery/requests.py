"""Requests to the publisher's second socket, and the head of its answers. Pure (docs/reliability.md).

A request is one JSON object of at most MAX_BYTES. An answer is several frames: a JSON object, the head, and one event
in each of the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.errors import BadInputError

MAX_BYTES = 4096
MAX_TOPICS = 64
MAX_TEXT = 256
MAX_PREFIX = 512
MAX_NUMBER = 2**63 - 1
KINDS = ("replay", "snapshot")


@dataclass(frozen=True, slots=True)
class SubscriberRequest:
    """kind: replay or snapshot. id: given back as it is. epoch: "" = the current one. first, last: numbers asked for;
    last None: to the end. topics: prefixes.
    """

    kind: str
    id: str = ""
    epoch: str = ""
    first: int = 1
    last: int | None = None
    topics: tuple[str, ...] = ("",)

    def encode(self) -> bytes:
        """Return the request as it is sent."""
        fields: dict[str, object] = {"request": self.kind, "id": self.id, "epoch": self.epoch, "from": self.first}
        if self.last is not None:
            fields["to"] = self.last
        return _dumps(fields | {"topics": list(self.topics)})


def parse(raw: bytes) -> SubscriberRequest:
    """Parse a request. Raises BadInputError for anything that is not exactly one."""
    if len(raw) > MAX_BYTES:
        raise BadInputError(f"a request has at most {MAX_BYTES} bytes")
    fields = _object(raw)
    unknown = fields.keys() - {"request", "id", "epoch", "from", "to", "topics"}
    if unknown:
        raise BadInputError(f"unknown field {sorted(unknown)[0]!r:.64}")
    if fields.get("request") not in KINDS:
        raise BadInputError("request must be replay or snapshot")
    first, last = _number(fields, "from", 1), _number(fields, "to", None)
    if first is None or (last is not None and last < first):
        raise BadInputError("from and to must be whole numbers, 1 <= from <= to")
    return SubscriberRequest(
        fields["request"], _text(fields, "id"), _text(fields, "epoch"), first, last, _topics(fields)
    )


def head(raw: bytes) -> Mapping[str, Any]:
    """Return the first frame of an answer. Raises BadInputError."""
    return _object(raw)


def answer(kind: str, request_id: str, **fields: object) -> bytes:
    """Return the first frame of an answer."""
    return _dumps({"reply": kind, "id": request_id, **fields})


def _object(raw: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadInputError("not JSON") from error
    if not isinstance(fields, dict):
        raise BadInputError("not a JSON object")
    return fields


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise BadInputError(f"{key} must be text of at most {MAX_TEXT} characters")
    return value


def _number(fields: Mapping[str, Any], key: str, default: int | None) -> int | None:
    value = fields.get(key, default)
    if value is None and key == "to":
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_NUMBER:
        raise BadInputError(f"{key} must be a whole number from 1 up")
    return value


def _topics(fields: Mapping[str, Any]) -> tuple[str, ...]:
    topics: Sequence[object] = fields.get("topics", [""])
    if not isinstance(topics, list) or not 0 < len(topics) <= MAX_TOPICS:
        raise BadInputError(f"topics must be a list of 1 to {MAX_TOPICS} prefixes")
    if not all(isinstance(topic, str) and len(topic) <= MAX_PREFIX for topic in topics):
        raise BadInputError(f"a topic prefix is text of at most {MAX_PREFIX} characters")
    return tuple(str(topic) for topic in topics)


def _dumps(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
