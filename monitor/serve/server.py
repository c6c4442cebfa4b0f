"""Runs an engine over the taps, from the first call to the last joined thread."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from monitor.call_history.recent_calls import RecentCalls
from monitor.call_history.recent_calls_sink import RecentCallsSink
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.engine.traces import Traces
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.events.bus import Bus
from monitor.scoring.opening import check_weights, open_scorer
from monitor.serve.call_router import MOST_PARTIES, CallRouter
from monitor.serve.server_view import ServerView
from monitor.serve.tap_listeners import Listener, Listeners, make_listeners
from monitor.session.setup import STOP_S, StopRequest, json_sink, loading, screen, signals, start_sinks, supervise
from monitor.session.warnings import SinkWarnings
from monitor.sinks.registry import open_sinks
from monitor.taps.tap_events import Deliver, TapEvent

DONE, INTERRUPTED = 0, 130
SWITCH_S = 0.0002
"""A thread that wants the interpreter has it after so long, not after Python's 5 ms: else the scoring thread waits for
the taps after every piece of arithmetic, and falls behind while a third of the processors idles.
"""
SETTLE_S = 1.0
"""What calls that have ended may take to be scored to their end."""


def serve(config: Config, *, json_lines: bool = False) -> int:
    """Watch the calls of all taps until q or Ctrl-C. Returns the exit status; raises MonitorError."""
    section = config.serve
    config = _with_score_interval(config, section.score_interval_ms)
    rows = MOST_PARTIES * section.max_calls
    epoch, stop_request, traces = wire.new_epoch(), StopRequest(), Traces(rows)
    check_weights(config.model)

    def deliver(event: TapEvent) -> None:
        router.deliver(event)

    found = _tap_listeners(config, deliver)
    calls = RecentCalls(epoch, config.web.keep_ended_s, config.web.keep_ended_calls)
    sinks = [*open_sinks(config, epoch), *([json_sink(stop_request)] if json_lines else [])]
    if config.web.listen or (config.dashboard.mode != "off" and not json_lines):
        sinks.append(RecentCallsSink(calls))
    with Bus(sinks, config.publish.queue_events, epoch) as bus, _engine(config, bus, traces, rows) as engine:
        router = CallRouter(engine, section.max_calls, section.idle_s, section.max_calls_per_peer)
        publisher = config.zeromq.address if config.zeromq.enabled else ""

        def taps() -> tuple[str, ...]:
            return listeners.lines()

        server_view = ServerView(engine, traces, router, calls, publisher, taps)
        listeners = Listeners([*found, *_page(config, router, engine, server_view, calls)], router, engine.notice)
        start_sinks(sinks, engine)
        with closing(listeners):
            listeners.start()
            engine.notice("listening", "; ".join(listeners.lines()))
            with _fair_turns(), signals(stop_request), screen(server_view, config, json_lines, stop_request) as shown:
                warnings = SinkWarnings(bus, shown, stop_request.requested.set)

                def close() -> None:
                    listeners.close()
                    _settle(engine)

                supervise(engine, stop_request, warnings.check, close)
                bus.close(STOP_S)
            warnings.losses()
    return INTERRUPTED if stop_request.interrupted else DONE


def _with_score_interval(config: Config, score_interval_ms: int) -> Config:
    publish = config.publish.model_copy(update={"score_interval_ms": score_interval_ms})
    return config.model_copy(update={"publish": publish})


def _tap_listeners(config: Config, deliver: Deliver) -> list[Listener]:
    """Return the listeners of the taps. Raises BadInputError where there are none, and no page either."""
    found = make_listeners(config, deliver)
    if not found and not config.web.listen:
        raise BadInputError(
            "no tap is switched on",
            "give --rtp 127.0.0.1:5004, --websocket 127.0.0.1:8765 or --web, or set listen of a tap in config.toml",
        )
    return found


@contextmanager
def _engine(config: Config, bus: Bus, traces: Traces, rows: int) -> Iterator[Engine]:
    """Return the engine of the settings, here or with a cluster. Raises BadInputError and WeightsError."""
    if config.cluster.address:
        from monitor.cluster.connect import check_address

        check_address(config.cluster.address)
        from monitor.cluster.serving import cluster_engine

        with ExitStack() as stack:
            with loading():
                engine: Engine = stack.enter_context(cluster_engine(config, bus, traces, rows))
            yield engine
        return
    with loading():
        # With the graph of recordings, which costs many streams as much: then a call's figures are those of a cluster's
        # shards and of a replay, to the bit, whatever its blocks are scored together with.
        pool = Pool(open_scorer(config.model, rows, recorded=True), config, traces)
    yield Engine(pool, RingBank(rows, config.serve.ring_s), bus, config, serving=True)


@contextmanager
def _fair_turns() -> Iterator[None]:
    """Let threads take turns every SWITCH_S, and keep what is there from the start out of garbage collection, which
    would otherwise go through it again and again because packets come and go.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)


def _page(
    config: Config, router: CallRouter, engine: Engine, server_view: ServerView, calls: RecentCalls
) -> list[Listener]:
    """Return the page as a tap: browsers offer their microphones there. Raises BadInputError."""
    if not config.web.listen:
        return []
    from monitor.web.listener import WebListener

    return [WebListener(config, router, engine, server_view, calls)]


def _settle(engine: Engine) -> None:
    """Wait for the calls that the taps have just ended."""
    until = time.monotonic() + SETTLE_S
    while engine.calls and time.monotonic() < until:
        time.sleep(0.02)
