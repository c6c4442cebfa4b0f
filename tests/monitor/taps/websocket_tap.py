"""A tap over WebSocket, and clients that speak to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect

from monitor.config.taps import TapsSection
from monitor.taps.tap_events import CallAudio, CallEnded, CallPaused, CallStarted, RefusedError, TapEvent
from monitor.taps.websocket.handler import BadMessageError, Close, Send, Step, UpgradeRequest
from monitor.taps.websocket.listener import WebsocketListener
from monitor.taps.websocket.registry import PROTOCOLS, ServedProtocol

requests: list[UpgradeRequest] = []
TOO_LONG = "a message longer than taps.websocket.max_message_bytes"


class Heard(list[TapEvent]):
    """What was delivered. refuses: names of calls that are not taken."""

    refuses: tuple[str, ...] = ()

    def __call__(self, tap_event: TapEvent) -> None:
        if isinstance(tap_event, CallStarted) and tap_event.call in self.refuses:
            raise RefusedError("full")
        self.append(tap_event)

    async def until(self, found: Callable[[TapEvent], bool]) -> TapEvent:
        async with asyncio.timeout(30):
            while True:
                for tap_event in self:
                    if found(tap_event):
                        return tap_event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(heard: Heard, idle_s: float = 10.0, **settings: Any) -> AsyncIterator[WebsocketListener]:
    config = TapsSection.model_validate({"websocket": {"listen": ["127.0.0.1:0"], **settings}})
    listener = WebsocketListener(config, heard, idle_s)
    running = asyncio.create_task(listener.run())
    await asyncio.wait_for(listener.ready.wait(), 30)
    try:
        yield listener
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def dial(listener: WebsocketListener, path: str = "/scripted", **options: Any) -> connect:
    host, port = listener.bound[0]
    return connect(f"ws://{host}:{port}{path}", proxy=None, **options)


async def counted(listener: WebsocketListener, counts: dict[str, int]) -> None:
    """Wait for it: the peer may see the end of its connection first."""
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while sum(listener.counts.values()) < sum(counts.values()):
                await asyncio.sleep(0.01)
    assert listener.counts == counts


async def closed(client: ClientConnection) -> tuple[int, str]:
    """The code and the reason that the monitor closes with."""
    await client.wait_closed()
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""


class Scripted:
    """A protocol for tests: "call NAME" begins one, bytes are audio at 8 kHz, other words do what they say."""

    def __init__(self) -> None:
        self.call, self.at = "", 0

    def text(self, text: str, _now: float) -> Iterable[Step]:
        word, _, rest = text.partition(" ")
        if word == "call":
            yield CallStarted(rest, "scripted", ("party",), 8000)
            self.call = rest
            yield Send(f"taken {rest}")
        elif word == "echo":
            yield Send(rest)
        elif word == "steal":
            yield CallEnded(rest, "by another")
        elif word == "pause":
            yield CallPaused(self.call, "on hold")
        elif word == "bad":
            raise BadMessageError("not understood")
        elif word == "fault":
            raise ZeroDivisionError
        elif word == "end":
            yield CallEnded(self.call, "they said so")
            yield Close()

    def binary(self, data: bytes, _now: float) -> Iterable[Step]:
        yield CallAudio(self.call, 0, self.at, np.zeros(len(data), np.float32))
        self.at += len(data)

    def tick(self, _now: float) -> Iterable[Step]:
        return ()

    def refused(self, reason: str) -> Iterable[Step]:
        yield Send(f"not taken: {reason}")

    def closed(self, why: str) -> Iterable[TapEvent]:
        if self.call:
            yield CallEnded(self.call, why)


def make(request: UpgradeRequest, _config: TapsSection) -> Scripted:
    requests.append(request)
    return Scripted()


def serve_scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the protocol of Scripted under /scripted."""
    served = ServedProtocol(f"{__name__}:make", subprotocols=("one.example", "two.example"))
    monkeypatch.setitem(PROTOCOLS, "scripted", served)
    requests.clear()
