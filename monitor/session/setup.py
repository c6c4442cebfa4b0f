"""The parts of every program that watches calls: detector, signals, screen, and the thread that scores."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.events.sink import RunContext, Sink
from monitor.session.warnings import warn
from monitor.views import View

if TYPE_CHECKING:
    from monitor.dashboard import Dashboard
    from monitor.dashboard.navigation import CallsSource

LOADING_S = 0.5
POLL_S = 0.05
STOP_S = 3.0
"""Events that are queued when the program is to end are delivered, if that takes no longer; as a rule it takes
milliseconds.
"""
LAST_EVENTS_S = 0.3
"""So much of that time is left to the sinks, however long scoring took to stop."""


@contextmanager
def loading() -> Iterator[None]:
    """Say on a terminal that the network is loaded, where that takes longer than LOADING_S."""
    shown = sys.stderr is not None and sys.stderr.isatty()
    timer = threading.Timer(LOADING_S, lambda: print("loading ...", end="", file=sys.stderr, flush=True))
    timer.daemon = True
    if shown:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if shown:
            timer.join()
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class StopRequest:
    """A request to end before the audio does. interrupted: by a signal, not by q or a reader that has gone."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.interrupted = False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Stop, as a signal handler."""
        self.interrupted = True
        self.requested.set()


def supervise(
    engine: Engine, ending: StopRequest, check: Callable[[], None], before_stop: Callable[[], None] = lambda: None
) -> None:
    """Score in a thread of its own, so that this one can end it even while it waits for a full queue.

    before_stop: what is to be done when the end is wanted, while scoring still goes on.
    """
    failure: list[BaseException] = []

    def body() -> None:
        try:
            engine.run()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            failure.append(error)

    scoring = threading.Thread(target=body, name="scoring", daemon=True)
    scoring.start()
    while scoring.is_alive() and not ending.requested.wait(POLL_S):
        check()
    before_stop()
    engine.stop()
    if ending.requested.is_set():
        until = time.monotonic() + STOP_S
        scoring.join(STOP_S)
        engine.bus.close(max(LAST_EVENTS_S, until - time.monotonic()))
    scoring.join()
    if failure:
        raise failure[0]


@contextmanager
def signals(ending: StopRequest) -> Iterator[None]:
    """Have Ctrl-C, SIGTERM and a terminal that is closed end the watch in good order."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, ending.interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def screen(
    source: Callable[[], View] | CallsSource, config: Config, json_lines: bool, ending: StopRequest
) -> Iterator[Dashboard | None]:
    """Return the dashboard, unless it is off or standard output is for JSON lines."""
    if json_lines or config.dashboard.mode == "off":
        yield None
        return
    from monitor.dashboard import Dashboard

    dashboard = Dashboard(source, config.dashboard, on_quit=ending.requested.set)
    dashboard.start()
    try:
        yield dashboard
    finally:
        dashboard.close()


def json_sink(ending: StopRequest) -> Sink:
    """Return the events on standard output; ends the program when nobody reads them any more."""
    from monitor.sinks.jsonlines import JsonLinesSink

    return JsonLinesSink(on_gone=ending.requested.set)


def start_sinks(sinks: Sequence[Sink], engine: Engine) -> None:
    """Connect the sinks with the engine, and print what a sink had to repair when it was opened."""
    run = RunContext(engine.pool.scorer.weights_hash, engine.heartbeat_figures, engine.bus.status)
    for sink in sinks:
        sink.start(run)
        engine.latency.observers.append(sink.observe_latency)
        if (recorder := sink.audio_recorder()) is not None:
            engine.reporter.recorder = recorder
        if text := sink.warning():
            warn(text)
