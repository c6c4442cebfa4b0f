"""The WebSocket server itself, with a real client, and a handler whose steps the test knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from monitor.taps.config import TapsSection
from monitor.taps.happenings import CallAudio, CallEnded, CallPaused, CallStarted, Happening, RefusedError
from monitor.taps.websocket.handler import BadMessageError, Close, Request, Send, Step
from monitor.taps.websocket.listener import WebsocketListener
from monitor.taps.websocket.registry import PROTOCOLS, Served

requests: list[Request] = []


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

    def closed(self, why: str) -> Iterable[Happening]:
        if self.call:
            yield CallEnded(self.call, why)


def make(request: Request, _config: TapsSection) -> Scripted:
    requests.append(request)
    return Scripted()


class Heard(list[Happening]):
    """What was delivered. refuses: names of calls that are not taken."""

    refuses: tuple[str, ...] = ()

    def __call__(self, happening: Happening) -> None:
        if isinstance(happening, CallStarted) and happening.call in self.refuses:
            raise RefusedError("full")
        self.append(happening)

    async def until(self, found: Callable[[Happening], bool]) -> Happening:
        async with asyncio.timeout(30):
            while True:
                for happening in self:
                    if found(happening):
                        return happening
                await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(f"{__name__}:make", subprotocols=("one.example", "two.example"))
    monkeypatch.setitem(PROTOCOLS, "scripted", served)
    requests.clear()


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
    return connect(f"ws://{host}:{port}{path}", **options)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


async def closed(client: ClientConnection) -> tuple[int, str]:
    """The code and the reason that the monitor closes with."""
    await client.wait_closed()
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""


def test_a_call_from_its_first_message_to_the_end_of_its_connection() -> None:
    async def test() -> None:
        heard = Heard()
        async with listening(heard) as listener:
            async with dial(listener, "/scripted?a=1&b=x%20y", subprotocols=["two.example"]) as client:
                assert client.subprotocol == "two.example"
                await client.send("call one")
                assert await client.recv() == "taken one"
                await client.send(bytes(160))
            await heard.until(lambda h: isinstance(h, CallEnded))
        assert [type(h) for h in heard] == [CallStarted, CallAudio, CallEnded]
        assert heard[-1] == CallEnded("one", "the peer hung up")
        assert requests[0].path == ("scripted",)
        assert requests[0].query == {"a": "1", "b": "x y"}
        assert requests[0].url.endswith("/scripted?a=1&b=x%20y")

    run(test())


def test_a_path_of_no_protocol() -> None:
    async def test() -> None:
        async with listening(Heard()) as listener:
            for path in ("/", "/nothing", "//", "/%2e%2e/scripted"):
                with pytest.raises(InvalidStatus) as caught:
                    await dial(listener, path)
                assert caught.value.response.status_code == 404
            assert listener.counts == {"a path of no protocol": 4}

    run(test())
