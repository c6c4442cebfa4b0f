"""Pictures of the calls for all pages that are open, made only while somebody looks, and once for all of them.

A page asks for the next picture when it has drawn the last one. So a slow browser skips pictures, and nothing queues.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Protocol

from monitor.limits.json_text import read_json
from monitor.views import ServerStatus, View
from monitor.web import snapshot

PERIOD_S = 0.25
MOST_SEEN = 100


class SnapshotSource(Protocol):
    """The source of the snapshots."""

    def status(self) -> ServerStatus: ...

    def call(self, name: str) -> View | None: ...


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """The part of the snapshot that a page shows. open: the open call, or "". seen: calls with a visible timeline."""

    open: str = ""
    seen: frozenset[str] = frozenset()


def read_request(text: str) -> SnapshotRequest:
    """Parse {"open": "call", "seen": ["call", ...]}. Raises ValueError for anything else."""
    message = read_json(text)
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")
    opened, seen = message.get("open", ""), message.get("seen", [])
    if not isinstance(opened, str) or not isinstance(seen, list) or len(seen) > MOST_SEEN:
        raise ValueError("open: a name, seen: a list of at most 100 names")
    return SnapshotRequest(opened, frozenset(name for name in seen if isinstance(name, str)))


@dataclass(frozen=True, slots=True)
class _Picture:
    status: ServerStatus
    text: str


class SnapshotBroadcaster:
    """Belongs to one event loop; the work is done in a thread beside it."""

    def __init__(self, source: SnapshotSource) -> None:
        self._source = source
        self._due = 0.0
        self._pending: asyncio.Task[_Picture] | None = None

    async def next(self, request: SnapshotRequest) -> str:
        """Return the next picture as JSON, at most one every PERIOD_S."""
        if self._pending is None:
            self._pending = asyncio.create_task(self._make())
        picture = await asyncio.shield(self._pending)
        return await asyncio.to_thread(self._compose, picture, request)

    async def close(self) -> None:
        """End what is under way."""
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.gather(self._pending, return_exceptions=True)

    async def _make(self) -> _Picture:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(self._due - loop.time())
            self._due = loop.time() + PERIOD_S
            return await asyncio.to_thread(self._pull)
        finally:
            self._pending = None

    def _pull(self) -> _Picture:
        status = self._source.status()
        return _Picture(status, _json(snapshot.table(status)))

    def _compose(self, picture: _Picture, request: SnapshotRequest) -> str:
        opened = self._source.call(request.open) if request.open else None
        seen = _json(snapshot.lines(picture.status, request.seen))
        call = _json(snapshot.details(opened)) if opened is not None else "null"
        return f'{{"open":{_json(request.open)},"call":{call},"lines":{seen},"table":{picture.text}}}'


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
