"""The routes of the page: what it is made of, signing in, and the WebSockets that it lives on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from monitor.api.app import PREFIX, make_api
from monitor.api.context import ApiContext
from monitor.api.roles import KeyRing
from monitor.web.broadcast import SnapshotBroadcaster, read_request
from monitor.web.browser_calls import REFUSED, TRY_LATER, BrowserCalls
from monitor.web.guard import COOKIE, WRONG_TOKEN_DELAY_S, PageAccess, RequestGuard
from monitor.web.listen_in import ListenIn

STATIC = Path(__file__).parent / "static"
ASKS_AGAIN_S = 30.0
"""A page that asks for no snapshot for so long is gone."""
LONGEST_TOKEN = 1024


class Page:
    """The page and its WebSockets. intake: takes browsers' microphones; None where none may be taken. counts: what was
    refused, by the reason.
    """

    def __init__(
        self,
        context: ApiContext,
        broadcaster: SnapshotBroadcaster,
        listen_in: ListenIn,
        intake: BrowserCalls | None,
        counts: Counter[str],
    ) -> None:
        self._context, self._config = context, context.config.web
        self._broadcaster, self._listen_in, self._intake, self._counts = broadcaster, listen_in, intake, counts
        self._access = PageAccess(self._config.token.reveal())
        self._keys = KeyRing(context.config.api.keys)
        self._clients = 0

    def app(self) -> ASGIApp:
        """Return all of it, guarded."""
        routes = [
            Route("/", _index),
            Route("/session", self._session),
            Route("/session", self._sign_in, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
            Mount(PREFIX, make_api(self._context)),
            WebSocketRoute("/live", self._live),
            WebSocketRoute("/microphone", self._microphone),
            WebSocketRoute("/listen", self._listen),
        ]
        return RequestGuard(Starlette(routes=routes), self._access, self._keys, self._config.hosts, self._counts)

    async def _session(self, request: Request) -> Response:
        """Return the rights of this browser."""
        may = {"microphone": self._intake is not None, "listen_in": self._config.listen_in}
        return JSONResponse({"signed_in": self._access.admits(request.headers), **may})

    async def _sign_in(self, request: Request) -> Response:
        """Return the secret for a cookie that scripts cannot read and that other sites cannot make a browser send."""
        length = request.headers.get("content-length", "")
        if not length.isdigit() or int(length) > LONGEST_TOKEN:
            return JSONResponse({"error": "the token is too long"}, 413)
        if not self._access.matches((await request.body()).decode("utf-8", "replace")):
            self._counts["refused: a wrong token"] += 1
            await asyncio.sleep(WRONG_TOKEN_DELAY_S)
            return JSONResponse({"error": "that is not the token"}, 403)
        response = JSONResponse({"signed_in": True})
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, self._access.session, httponly=True, samesite="strict", secure=secure)
        return response

    async def _live(self, socket: WebSocket) -> None:
        """Send one snapshot for each message that asks for one."""
        async with self._client(socket) as taken:
            while taken:
                try:
                    wanted = read_request(await asyncio.wait_for(socket.receive_text(), ASKS_AGAIN_S))
                except (ValueError, KeyError, TimeoutError):
                    await socket.close(REFUSED, "no valid request came")
                    return
                await socket.send_text(await self._broadcaster.next(wanted))

    async def _listen(self, socket: WebSocket) -> None:
        """Send the sound of one channel, where web.listen_in is set."""
        if not self._config.listen_in:
            self._counts["refused: to listen in, which web.listen_in does not allow"] += 1
            await socket.close(REFUSED)
            return
        call, channel = (socket.query_params.get(key, "") for key in ("call", "channel"))
        async with self._client(socket) as taken:
            if taken:
                await _play_until_closed(socket, self._listen_in.play(socket, call, channel, _peer(socket)))

    async def _microphone(self, socket: WebSocket) -> None:
        if self._intake is None:
            self._counts["refused: a microphone, which web.microphone does not allow"] += 1
            await socket.close(REFUSED)
            return
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await self._intake.take(socket, _peer(socket))

    @asynccontextmanager
    async def _client(self, socket: WebSocket) -> AsyncIterator[bool]:
        """Accept one, or say that there are too many."""
        await socket.accept()
        if self._clients >= self._config.max_clients:
            self._counts["refused: more pages than web.max_clients"] += 1
            await socket.close(TRY_LATER, f"{self._config.max_clients} pages are open already")
            yield False
            return
        self._clients += 1
        try:
            yield True
        except WebSocketDisconnect:
            pass
        finally:
            self._clients -= 1


def _peer(socket: WebSocket) -> str:
    return socket.client.host if socket.client is not None else "unknown"


async def _index(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _play_until_closed(socket: WebSocket, playing: AsyncIterator[None]) -> None:
    """Play until there is nothing more or the browser leaves; what it says is passed over."""

    async def play() -> None:
        async for _ in playing:
            pass

    async def wait() -> None:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass

    tasks = [asyncio.create_task(play()), asyncio.create_task(wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
