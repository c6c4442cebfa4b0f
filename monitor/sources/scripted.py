"""A source that follows a script: for tests of everything that reads a source."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from monitor.audio import Chunk
from monitor.types import Condition


class ScriptedSource:
    """Yields chunks and conditions as they are, raises exceptions where they stand in the list, then ends."""

    def __init__(
        self,
        items: Iterable[Chunk | Condition | Exception],
        channels: tuple[str, ...] = ("mono",),
        name: str = "scripted",
        live: bool = False,
    ) -> None:
        self.name, self.channels, self.live = name, channels, live
        self._items = list(items)
        self._closed = threading.Event()

    def chunks(self) -> Iterator[Chunk | Condition]:
        for item in self._items:
            if self._closed.is_set():
                return
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        self._closed.set()
