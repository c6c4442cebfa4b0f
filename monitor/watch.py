"""Runs an engine over sources with its sinks and its screen, from start to the last joined thread."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from model.checkpoint import DEFAULT_WEIGHTS, CheckpointError, DeviceError, choose_device, load_detector
from model.stream import Detector
from monitor import wire
from monitor.bus import Bus
from monitor.config import Config, ModelSection
from monitor.engine import Engine
from monitor.errors import BadInputError, WeightsError
from monitor.notices import Notices, warn
from monitor.pool import Pool
from monitor.ring import RingBank
from monitor.sinks.registry import open_sinks
from monitor.traces import Traces
from monitor.types import Sink, Source, View
from monitor.view import view

if TYPE_CHECKING:
    from monitor.dashboard import Dashboard

DONE, INCOMPLETE, ALERTED, INTERRUPTED = 0, 2, 3, 130
POLL_S = 0.05
STOP_S = 0.4
LAST_EVENTS_S = 0.3
FAULT_WAIT_S = 15.0
"""After the end of a recording a sink that fails, such as a journal on a full disk, has so long to recover."""


@dataclass(frozen=True)
class Watched:
    """A source, what its call is named, and its length where it is known."""

    name: str
    source: Source
    total_s: float | None = None


class Ending:
    """Whether to end before the audio does. interrupted: by a signal, not by q or a reader that has gone."""

    def __init__(self) -> None:
        self.wanted = threading.Event()
        self.interrupted = False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """A signal handler."""
        self.interrupted = True
        self.wanted.set()


def open_detector(section: ModelSection) -> Detector:
    """The network of the configuration on its device. Raises WeightsError and BadInputError."""
    path = DEFAULT_WEIGHTS if section.weights == "default" else Path(section.weights)
    try:
        return load_detector(path, choose_device(section.device))
    except DeviceError as error:
        raise BadInputError(str(error), "set model.device to auto") from error
    except CheckpointError as error:
        shipped = section.weights == "default"
        hint = "install the program again, or " * shipped + "name another file with --weights"
        raise WeightsError(str(error), hint) from error


def watch(
    watched: Sequence[Watched],
    config: Config,
    *,
    json_lines: bool = False,
    fail_on_alert: bool = False,
    svg: Path | None = None,
) -> int:
    """Watch sources until they end, or q, or Ctrl-C. Returns the exit status; raises what ended a source too soon.

    json_lines: every event on standard output, and no screen. svg: write the last screen to this file.
    """
    _check_picture(svg)
    detector = open_detector(config.model)
    rows = sum(len(w.source.channels) for w in watched)
    epoch, ending, traces = wire.new_epoch(), Ending(), Traces(rows)
    pool = Pool(detector, config, rows, traces)
    sinks = [*open_sinks(config, epoch), *([_json_sink(ending)] if json_lines else [])]
    with Bus(sinks, config.publish.queue_events, epoch) as bus:
        engine = Engine(pool, RingBank(rows, config.input.ring_s), bus, config)
        for w in watched:
            engine.add(w.name, w.source)
        total = max((w.total_s for w in watched if w.total_s), default=None)
        publisher = config.zeromq.address if config.zeromq.enabled else ""
        _acquaint(sinks, engine)

        def pull() -> View:
            return view(engine, traces, publisher, total)

        with _signals(ending), _screen(pull, config, json_lines, ending) as screen:
            notices = Notices(bus, screen, ending.wanted.set)
            _supervise(engine, ending, notices.look)
            if not any(w.source.live for w in watched):
                _drain(bus, ending, notices.look)
            bus.close(LAST_EVENTS_S)
        notices.losses()
        if svg is not None:
            _draw(pull(), svg)
    return _status(engine, ending, fail_on_alert)


def _supervise(engine: Engine, ending: Ending, look: Callable[[], None]) -> None:
    """Score in a thread of its own, so that this one can end it even while it waits for a full queue."""
    failure: list[BaseException] = []

    def body() -> None:
        try:
            engine.run()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            failure.append(error)

    scoring = threading.Thread(target=body, name="scoring", daemon=True)
    scoring.start()
    while scoring.is_alive() and not ending.wanted.wait(POLL_S):
        look()
    engine.stop()
    if ending.wanted.is_set():
        scoring.join(STOP_S)
        engine.bus.close(LAST_EVENTS_S)
    scoring.join()
    if failure:
        raise failure[0]


def _drain(bus: Bus, ending: Ending, look: Callable[[], None]) -> None:
    """Let the sinks take all of a recording: as long as it takes while they work, FAULT_WAIT_S while one fails."""
    works_at = time.monotonic()
    while not bus.drain(POLL_S) and not ending.wanted.is_set():
        look()
        now = time.monotonic()
        if all(sink.ok for sink in bus.status()):
            works_at = now
        if now - works_at > FAULT_WAIT_S:
            return


def _status(engine: Engine, ending: Ending, fail_on_alert: bool) -> int:
    if ending.interrupted:
        return INTERRUPTED
    for call in engine.calls:
        if call.error is not None:
            raise call.error
    if fail_on_alert and engine.reporter.alerts_opened:
        return ALERTED
    recordings = not any(call.live for call in engine.calls)
    lost = any(sink.dropped for sink in engine.bus.status())
    return INCOMPLETE if recordings and lost and not ending.wanted.is_set() else DONE


@contextmanager
def _signals(ending: Ending) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a terminal that is closed end the watch in good order."""
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
def _screen(pull: Callable[[], View], config: Config, json_lines: bool, ending: Ending) -> Iterator[Dashboard | None]:
    if json_lines or config.dashboard.mode == "off":
        yield None
        return
    from monitor.dashboard import Dashboard

    dashboard = Dashboard(pull, config.dashboard, on_quit=ending.wanted.set)
    dashboard.start()
    try:
        yield dashboard
    finally:
        dashboard.close()


def _json_sink(ending: Ending) -> Sink:
    from monitor.sinks.jsonlines import JsonLinesSink

    return JsonLinesSink(on_gone=ending.wanted.set)


def _acquaint(sinks: Sequence[Sink], engine: Engine) -> None:
    """Let heartbeats carry how the engine does, and say what a sink had to mend when it was opened."""
    for sink in sinks:
        if hasattr(sink, "vitals"):
            sink.vitals = engine.vitals
        if mended := getattr(sink, "repaired", ""):
            warn(mended)


def _check_picture(svg: Path | None) -> None:
    """Raises BadInputError before the call is played, not after."""
    if svg is not None and (svg.is_dir() or not os.access(svg.parent, os.W_OK | os.X_OK)):
        raise BadInputError(f"the picture {svg} cannot be written", "name a file in a directory that exists")


def _draw(last: View, svg: Path) -> None:
    from monitor.dashboard import export_svg

    try:
        export_svg(last, svg)
    except OSError as error:
        raise BadInputError(f"the picture {svg} cannot be written: {error.strerror}", "name another file") from error


def call_name(stem: str, live: bool) -> str:
    """Of a recording its file's name; of a live call the source and the time, so that calls can be told apart."""
    return f"{stem}-{time.strftime('%Y%m%dT%H%M%S')}" if live else stem
