"""The page as one more tap: uvicorn in the taps' event loop, from its socket to the last closed connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from pathlib import Path
from typing import Protocol

import uvicorn

from monitor.api.context import ApiContext
from monitor.api.stream_intake import StreamIntake
from monitor.call_history.rebuild import JournalRebuild
from monitor.call_history.recent_calls import RecentCalls
from monitor.config.addresses import check_reach, read_address, read_certificate
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.errors import BadInputError
from monitor.limits.reasons import Reasons
from monitor.taps.tap_events import TapEvent
from monitor.web.app import Page
from monitor.web.broadcast import SnapshotBroadcaster, SnapshotSource
from monitor.web.browser_calls import BrowserCalls
from monitor.web.idle import with_idle_timeout
from monitor.web.listen_in import ListenIn

LARGEST_MESSAGE = 128 << 10
"""Bytes; a second of a microphone at 48 kHz is 96 000."""
BACKLOG = 64
CLOSE_S = 1
POLL_S = 0.02


class Router(Protocol):
    """Takes the calls of taps."""

    def deliver(self, tap_event: TapEvent) -> None:
        """Take what a tap says. Raises RefusedError for a call that cannot be taken."""

    def published_name(self, call: str) -> str:
        """Return the name in events of a running call. call: as its tap calls it."""


class WebListener:
    """Listens until cancelled. bound: (host, port) once it does. Raises BadInputError.

    router: takes calls of browsers and programs; None where none may be added to those that run. calls: those kept.
    """

    name = "web"

    def __init__(
        self, config: Config, router: Router | None, engine: Engine, snapshots: SnapshotSource, calls: RecentCalls
    ) -> None:
        web = self._config = config.web
        self._host, self._port = read_address("web.listen", web.listen)
        if web.token:
            web.token.reveal_token("web.token")
        check_reach(
            "web.listen",
            self._host,
            secured=bool(web.token and web.certificate),
            insecure=config.serve.insecure,
            secure_by="set web.token and web.certificate",
        )
        self._secrets = read_certificate("web", web.certificate, web.key)
        self._broadcaster = SnapshotBroadcaster(snapshots)
        self._streams = config.api.max_streams
        self.counts = Reasons()
        self.bound: list[tuple[str, int]] = []
        self.ready = asyncio.Event()
        listen_in = ListenIn(lambda: engine.calls, engine.notice)
        intake = streams = None
        if router is not None:
            streams = StreamIntake(router.deliver, router.published_name, config.serve.idle_s, config.api.max_streams)
        if router is not None and web.microphone:
            intake = BrowserCalls(router.deliver, config.serve.idle_s, web.max_microphones, self.counts)
        context = self._context = ApiContext(
            config, calls, engine.post, engine.heartbeat_figures, engine.pool.scorer.weights_hash, streams
        )
        journal = config.journal.path
        self._rebuild = JournalRebuild(Path(journal), calls, web.keep_ended_s) if journal else None
        self._page = Page(context, self._broadcaster, listen_in, intake, self.counts)

    async def run(self) -> None:
        """Listen until cancelled."""
        bound_socket = bind(self._host, self._port)
        rebuild, self._rebuild = self._rebuild, None
        if rebuild is not None:
            rebuild.start()
        server = uvicorn.Server(self._settings())
        serving = asyncio.create_task(server.serve([bound_socket]))
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(POLL_S)
            self.bound = [(self._host, int(bound_socket.getsockname()[1]))]
            self.ready.set()
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)
            await self._broadcaster.close()
            if rebuild is not None:
                await asyncio.to_thread(rebuild.close)
            await asyncio.to_thread(self._context.close)
            bound_socket.close()

    def _settings(self) -> uvicorn.Config:
        """No log of its own: what goes wrong is counted and said by the monitor."""
        logger = logging.getLogger("uvicorn")
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        settings = uvicorn.Config(
            self._page.app(),
            http=with_idle_timeout(self.counts),
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            limit_concurrency=2 * (self._config.max_clients + self._config.max_microphones + self._streams) + BACKLOG,
            backlog=BACKLOG,
            timeout_graceful_shutdown=CLOSE_S,
        )
        settings.load()
        settings.ssl = self._secrets
        return settings


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises BadInputError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound_socket = socket.socket(family, kind, protocol)
        with contextlib.suppress(OSError):
            bound_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound_socket.bind(address)
        except OSError:
            bound_socket.close()
            raise
    except OSError as error:
        raise BadInputError(
            f"web.listen: {host}:{port} is in use, or no address of this machine",
            "end the other program, or choose another port: --web 127.0.0.1:8001",
        ) from error
    return bound_socket
