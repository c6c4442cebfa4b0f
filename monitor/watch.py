"""Runs an engine over sources with its sinks and its screen, from start to the last joined thread."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from model.checkpoint import DEFAULT_WEIGHTS, CheckpointError, best_device, load_detector
from model.stream import Detector
from monitor import wire
from monitor.bus import Bus
from monitor.config import Config, ModelSection
from monitor.engine import Engine
from monitor.errors import BadInputError, WeightsError
from monitor.pool import Pool
from monitor.ring import RingBank
from monitor.sinks.registry import open_sinks
from monitor.traces import Traces
from monitor.types import Sink, Source, View
from monitor.view import view

DONE, ALERTED, INTERRUPTED = 0, 3, 130
STOP_S = 0.3
LAST_EVENTS_S = 0.4
RECORDING_DRAIN_S = 60.0


@dataclass(frozen=True)
class Watched:
    """A source, what its call is named, and its length where it is known."""

    name: str
    source: Source
    total_s: float | None = None


def open_detector(section: ModelSection) -> Detector:
    """The network of the configuration on its device. Raises WeightsError and BadInputError."""
    import torch

    device = best_device() if section.device == "auto" else section.device
    if (device == "cuda" and not torch.cuda.is_available()) or (
        device == "mps" and not torch.backends.mps.is_available()
    ):
        raise BadInputError(f"this machine has no {device} device", "set model.device to auto")
    path = DEFAULT_WEIGHTS if section.weights == "default" else Path(section.weights)
    try:
        return load_detector(path, device)
    except CheckpointError as error:
        hint = "install the program again" if section.weights == "default" else "name another file with --weights"
        raise WeightsError(str(error), hint) from error


def watch(
    watched: Sequence[Watched],
    config: Config,
    *,
    json_lines: bool = False,
    fail_on_alert: bool = False,
    svg: Path | None = None,
) -> int:
    """Watch sources until they end or Ctrl-C. Returns the exit status.

    json_lines: every event on standard output, and no screen. svg: write the last screen to this file.
    """
    detector = open_detector(config.model)
    rows = sum(len(w.source.channels) for w in watched)
    epoch = wire.new_epoch()
    sinks = open_sinks(config, epoch)
    stop = threading.Event()
    if json_lines:
        sinks.append(_json_sink(stop))
    live = any(w.source.live for w in watched)
    traces = Traces(rows)
    pool = Pool(detector, config, rows, traces)
    with Bus(sinks, config.publish.queue_events, epoch) as bus:
        engine = Engine(pool, RingBank(rows, config.input.ring_s), bus, config)
        for w in watched:
            engine.add(w.name, w.source)
        total = max((w.total_s for w in watched if w.total_s), default=None)
        publisher = config.zeromq.address if config.zeromq.enabled else ""
        _show_vitals(sinks, engine)
        with _screen(lambda: view(engine, traces, publisher, total), config, json_lines, stop), _signals(stop):
            _supervise(engine, stop)
            bus.close(LAST_EVENTS_S if live or engine.interrupted else RECORDING_DRAIN_S)
        if svg is not None:
            from monitor.dashboard import export_svg

            export_svg(view(engine, traces, publisher, total), svg)
    if engine.interrupted:
        return INTERRUPTED
    return ALERTED if fail_on_alert and bool(engine.alerts.any()) else DONE


def _supervise(engine: Engine, stop: threading.Event) -> None:
    """Score in a thread of its own, so that this one can end it even while it waits for a full queue."""
    failure: list[BaseException] = []

    def body() -> None:
        try:
            engine.run()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            failure.append(error)

    scoring = threading.Thread(target=body, name="scoring", daemon=True)
    scoring.start()
    while scoring.is_alive() and not stop.is_set():
        stop.wait(0.05)
    engine.stop()
    if stop.is_set():
        scoring.join(STOP_S)
        engine.bus.close(LAST_EVENTS_S)
    scoring.join()
    if failure:
        raise failure[0]


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the watch in good order."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _screen(pull: Callable[[], View], config: Config, json_lines: bool, stop: threading.Event) -> Iterator[None]:
    if json_lines or config.dashboard.mode == "off":
        yield
        return
    from monitor.dashboard import Dashboard

    dashboard = Dashboard(pull, config.dashboard, on_quit=stop.set)
    dashboard.start()
    try:
        yield
    finally:
        dashboard.close()


def _json_sink(stop: threading.Event) -> Sink:
    from monitor.sinks.jsonlines import JsonLinesSink

    return JsonLinesSink(on_gone=stop.set)


def _show_vitals(sinks: Sequence[Sink], engine: Engine) -> None:
    """Let heartbeats carry how the engine does."""
    for sink in sinks:
        if hasattr(sink, "vitals"):
            sink.vitals = engine.vitals


def call_name(stem: str, live: bool) -> str:
    """Of a recording its file's name; of a live call the source and the time, so that calls can be told apart."""
    return f"{stem}-{time.strftime('%Y%m%dT%H%M%S')}" if live else stem
