"""Connections to the page that ask for nothing hold no place for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from monitor.limits.reasons import Reasons
from monitor.web import idle


async def answer(_: object) -> PlainTextResponse:
    return PlainTextResponse("here")


def serving(then: Callable[[int], Awaitable[None]]) -> Reasons:
    """Run `then` with the port of a server; what was closed."""
    counts = Reasons()

    async def run() -> None:
        app = Starlette(routes=[Route("/", answer)])
        kind = idle.with_idle_timeout(counts)
        settings = uvicorn.Config(app, port=0, http=kind, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(settings)
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            await then(int(server.servers[0].sockets[0].getsockname()[1]))
        finally:
            server.should_exit = True
            await running

    asyncio.run(run())
    return counts


def test_a_socket_that_asks_for_nothing_is_closed_and_one_that_asks_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "REQUEST_S", 0.3)

    async def then(port: int) -> None:
        silent, _ = await asyncio.open_connection("127.0.0.1", port)
        half, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HT")
        asking, request = await asyncio.open_connection("127.0.0.1", port)
        request.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await asking.readline()
        for reader in (silent, half):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(1), 10)
        request.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await asyncio.wait_for(asking.readuntil(b"here"), 10)

    assert dict(serving(then)) == {"refused: no request within 10 s": 2}


def test_a_host_holds_only_so_many_and_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "MOST_OF_HOST", 5)

    async def then(port: int) -> None:
        many = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        ended = [asyncio.create_task(reader.read()) for reader, _ in many]
        await asyncio.wait(ended, timeout=1.0)
        assert [task.done() for task in ended] == [True] * 3 + [False] * 5, "the oldest make room"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readline(), "who asks is heard while the others hold their places"
        for _, writer in many:
            writer.close()
        await asyncio.wait(ended, timeout=5.0)

    assert dict(serving(then)) == {"refused: more than 5 connections of a host that ask for nothing": 4}
