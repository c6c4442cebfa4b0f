"""The page beside the watch of a microphone: the same listener as that of a server, and no taps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from monitor.call_history.recent_calls import RecentCalls
from monitor.call_history.recent_calls_sink import RecentCallsSink
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.traces import Traces
from monitor.events.sink import Sink
from monitor.serve.call_router import CallRouter
from monitor.serve.server_view import ServerView
from monitor.serve.tap_listeners import Listeners
from monitor.web.listener import WebListener


class WatchedPage:
    """Shows the calls of one watch in browsers, which cannot add any."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._calls: RecentCalls | None = None

    def sinks(self, epoch: str) -> Sequence[Sink]:
        """Return the sink that keeps the calls."""
        web = self._config.web
        self._calls = RecentCalls(epoch, web.keep_ended_s, web.keep_ended_calls)
        return (RecentCallsSink(self._calls),)

    @contextmanager
    def running(self, engine: Engine, traces: Traces, publisher: str) -> Iterator[None]:
        """Listen while the calls are watched. Raises MonitorError where the address cannot be used."""
        assert self._calls is not None
        router = CallRouter(engine, max_calls=len(engine.calls), idle_s=self._config.serve.idle_s)
        router.counts.started = len(engine.calls)

        def taps() -> tuple[str, ...]:
            return listeners.lines()

        server_view = ServerView(engine, traces, router, self._calls, publisher, taps)
        page = WebListener(self._config, None, engine, server_view, self._calls)
        listeners = Listeners([page], router, engine.notice)
        listeners.start()
        engine.notice("listening", "; ".join(listeners.lines()))
        try:
            yield
        finally:
            listeners.close()
