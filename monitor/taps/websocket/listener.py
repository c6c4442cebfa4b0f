"""The server: sockets, TLS and time for the handlers, which know what the messages mean."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import uuid
from collections.abc import Sequence

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response
from websockets.typing import Subprotocol

from monitor.config.addresses import read_address, read_certificate
from monitor.config.taps import TapsSection
from monitor.errors import BadInputError
from monitor.limits.accept_queue import ACCEPTED_AT_ONCE
from monitor.limits.reasons import Reasons
from monitor.taps.tap_events import Deliver
from monitor.taps.websocket.access import allowed_names, check_origin, check_peer, check_secured, dialled, served
from monitor.taps.websocket.closing import short, why_closed
from monitor.taps.websocket.handler import (
    Close,
    RefusedRequestError,
    UpgradeRequest,
)
from monitor.taps.websocket.peer import Answer, WebsocketPeer
from monitor.taps.websocket.registry import PROTOCOLS, load_makers
from monitor.taps.websocket.unopened import UnopenedConnections

TICK_S = 0.1
OPEN_S = 10.0
"""The longest that the TLS and the WebSocket handshake may take, each."""
SEND_S = 2.0
"""A peer that does not read its answers for so long is closed."""
CLOSE_S = 1.0
MOST_AT_ONCE = 16
"""Messages of one peer before the others have a turn: one that was held up has thousands."""
GUESS_S = 1.0
"""A wrong token is answered so late; a right one, of whatever host, waits for nobody."""


class _Connection(ServerConnection):
    """A connection of a listener. peer: None before its request was taken."""

    listener: WebsocketListener
    protocol_name = ""
    host = ""
    peer: WebsocketPeer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Cut off a flood of sockets that ask for nothing."""
        super().connection_made(transport)
        self.host = str((transport.get_extra_info("peername") or ("",))[0])
        if why := self.listener.unopened.enter(self):
            self.listener.counts[why] += 1
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the place of a connection of any kind."""
        super().connection_lost(exc)
        self.listener.unopened.leave(self)
        if self.request is None:
            self.listener.counts["no WebSocket request"] += 1


class WebsocketListener:
    """Listens until cancelled. bound: (host, port) of each socket, once it does. Raises BadInputError."""

    name = "websocket"

    def __init__(
        self,
        config: TapsSection,
        deliver: Deliver,
        idle_s: float,
        *,
        insecure: bool = False,
        hosts: Sequence[str] = (),
    ) -> None:
        """hosts: names under which pages may dial, beside addresses."""
        section = config.websocket
        self._names = allowed_names(section, hosts)
        self.config = config
        self._addresses = [read_address("taps.websocket.listen", text) for text in section.listen]
        self._served = served(section)
        check_secured(config, [host for host, _ in self._addresses], insecure=insecure)
        self._tls = read_certificate("taps.websocket", section.certificate, section.key)
        self._deliver, self._idle_s = deliver, idle_s
        self.counts = Reasons()
        self._running: set[str] = set()
        """Ids of the calls of all connections."""
        self._makers = load_makers(self._served, config)
        self.bound: list[tuple[str, int]] = []
        self.ready = asyncio.Event()
        self._open = 0
        self.unopened = UnopenedConnections(section.max_connections, self.counts)
        self._kind = type("Connection", (_Connection,), {"listener": self})
        # What goes wrong is counted here; nothing may write across the screen.
        self._logger = logging.Logger("monitor.taps.websocket", logging.CRITICAL)
        self._logger.addHandler(logging.NullHandler())

    async def run(self) -> None:
        """Listen until cancelled."""
        servers: list[Server] = []
        self.bound = []
        try:
            for host, port in self._addresses:
                servers.append(await self._bind(host, port))
                self.bound += [(s.getsockname()[0], s.getsockname()[1]) for s in servers[-1].sockets]
            self.ready.set()
            await asyncio.get_running_loop().create_future()
        finally:
            for server in servers:
                server.close(reason="the monitor stops")
            for server in servers:
                await server.wait_closed()

    async def _bind(self, host: str, port: int) -> Server:
        try:
            return await serve(
                self._serve,
                host,
                port,
                backlog=ACCEPTED_AT_ONCE,
                ssl=self._tls,
                create_connection=self._kind,
                process_request=self._opened,
                select_subprotocol=_choose,
                server_header=None,
                open_timeout=OPEN_S,
                close_timeout=CLOSE_S,
                max_size=self.config.websocket.max_message_bytes,
                logger=self._logger,
            )
        except OSError as error:
            raise BadInputError(
                f"taps.websocket.listen: {host}:{port} is in use, or no address of this machine",
                "end the other program, or listen on another port",
            ) from error

    async def _opened(self, connection: ServerConnection, http: HttpRequest) -> Response | None:
        """Return the answer to a request that opens no connection, else None."""
        assert isinstance(connection, _Connection)
        self.unopened.asked(connection)
        try:
            if self._open >= self.config.websocket.max_connections:
                raise RefusedRequestError("connections beyond taps.websocket.max_connections", 503)
            self._admit(connection, self._read(connection, http))
        except RefusedRequestError as error:
            self.counts[error.reason] += 1
            response = connection.respond(error.status, f"{error.answer}\n")
            if error.status == 401:
                await asyncio.sleep(GUESS_S)
                response.headers["WWW-Authenticate"] = 'Basic realm="monitor"'
            return response
        return None

    def _read(self, connection: ServerConnection, http: HttpRequest) -> UpgradeRequest:
        headers: dict[str, str] = {}
        for name, value in http.headers.raw_items():
            before = headers.get(name.lower())
            headers[name.lower()] = value if before is None else f"{before}, {value}"
        url = dialled(self.config.websocket, http.path, headers.get("host", ""))
        address = connection.remote_address
        return UpgradeRequest(
            http.path, headers, url, str(address[0]) if address else "", time.time(), uuid.uuid4().hex[:12]
        )

    def _admit(self, connection: _Connection, request: UpgradeRequest) -> None:
        """Give a connection the handler of its path. Raises RefusedRequestError."""
        name = request.path[0] if request.path else ""
        if name not in self._served:
            raise RefusedRequestError("a path of no protocol", 404)
        check_origin(request, self._names)
        check_peer(name, request, self.config)
        handler = self._makers[name](request, self.config)
        limits, now = self.config.websocket, time.monotonic()
        connection.protocol_name = name
        shared = self._deliver, self._idle_s, self.counts
        connection.peer = WebsocketPeer(handler, limits, *shared, now, request.peer, self._running)

    async def _serve(self, connection: ServerConnection) -> None:
        """Hear a connection to its end."""
        assert isinstance(connection, _Connection)
        peer, why = connection.peer, "the monitor stops"
        assert peer is not None
        self._open += 1
        try:
            why = await self._receive(connection, peer)
        except ConnectionClosed as closed:
            why = why_closed(closed, self.counts)
        except Exception as error:
            # A fault of a handler ends its own call; the library closes with 1011.
            why = f"fault of the tap: {type(error).__name__}"
            self.counts[why] += 1
            raise
        finally:
            self._open -= 1
            peer.end(why, time.monotonic())

    async def _receive(self, connection: ServerConnection, peer: WebsocketPeer) -> str:
        """Returns why this side ends the connection. Raises ConnectionClosed when the other side does."""
        for turn in itertools.count(1):
            if turn % MOST_AT_ONCE == 0:
                await asyncio.sleep(0)
            since = time.monotonic()
            try:
                async with asyncio.timeout(TICK_S):
                    data = await connection.recv()
            except TimeoutError:
                now = time.monotonic()
                peer.extend_deadlines(max(0.0, now - since - TICK_S))
                answers = peer.tick(now)
            else:
                answers = peer.message(data, time.monotonic())
            for answer in answers:
                if isinstance(answer, Close):
                    await connection.close(answer.code, short(answer.reason))
                    return answer.reason or "the call is over"
                if not await self._send(connection, answer):
                    return "the peer reads no answers"
        raise AssertionError

    async def _send(self, connection: ServerConnection, answer: Answer) -> bool:
        """Return whether the peer took it."""
        assert not isinstance(answer, Close)
        try:
            async with asyncio.timeout(SEND_S):
                await connection.send(answer.data)
        except TimeoutError:
            self.counts["the peer reads no answers"] += 1
            connection.transport.abort()
            return False
        return True


def _choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    assert isinstance(connection, _Connection)
    known = PROTOCOLS[connection.protocol_name].subprotocols
    return next((name for name in offered if name in known), None)
