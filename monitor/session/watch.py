"""Runs an engine over sources with its sinks and its screen, from start to the last joined thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from monitor.audio import Source
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.engine.traces import Traces
from monitor.engine.view import view
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.events.bus import Bus
from monitor.events.sink import Sink
from monitor.scoring.opening import check_weights, open_scorer
from monitor.session.setup import (
    POLL_S,
    STOP_S,
    StopRequest,
    json_sink,
    loading,
    screen,
    signals,
    start_sinks,
    supervise,
)
from monitor.session.warnings import SinkWarnings
from monitor.sinks.registry import open_sinks
from monitor.types import Mark
from monitor.views import View

DONE, INCOMPLETE, ALERTED, INTERRUPTED = 0, 2, 3, 130
FAULT_WAIT_S = 15.0
"""After the end of a recording a sink that fails, such as a journal on a full disk, has so long to recover."""


@dataclass(frozen=True)
class CallSources:
    """The sources of a call, what it is named, its length where it is known, and what marks its recording carries."""

    name: str
    sources: Sequence[Source]
    total_s: float | None = None
    marks: Sequence[Mark] = ()


class Companion(Protocol):
    """Shows the calls of a watch beside the terminal, such as the page."""

    def sinks(self, epoch: str) -> Sequence[Sink]:
        """Return its sinks."""

    def running(self, engine: Engine, traces: Traces, publisher: str) -> AbstractContextManager[None]:
        """Return what is to be entered while the calls are watched. Entering it may raise MonitorError."""


def watch(
    watched: Sequence[CallSources],
    config: Config,
    *,
    json_lines: bool = False,
    fail_on_alert: bool = False,
    svg: Path | None = None,
    companion: Companion | None = None,
) -> int:
    """Watch sources until they end, or q, or Ctrl-C. Returns the exit status; raises what ended a source too soon.

    json_lines: every event on standard output, and no screen. svg: write the last screen to this file. companion: what
    else shows the calls.
    """
    _check_picture(svg)
    epoch, ending = wire.new_epoch(), StopRequest()
    drawn = svg is not None or companion is not None or not (json_lines or config.dashboard.mode == "off")
    traces = Traces(sum(len(source.channels) for w in watched for source in w.sources) if drawn else 0)
    check_weights(config.model)
    sinks = [*open_sinks(config, epoch), *(companion.sinks(epoch) if companion is not None else ())]
    sinks += [json_sink(ending)] if json_lines else []
    with Bus(sinks, config.publish.queue_events, epoch) as bus:
        engine = _open_engine(watched, config, bus, traces if drawn else None)
        total = max((w.total_s for w in watched if w.total_s), default=None)
        publisher = config.zeromq.address if config.zeromq.enabled else ""
        start_sinks(sinks, engine)

        def pull() -> View:
            return view(engine, traces, publisher, total)

        running = nullcontext() if companion is None else companion.running(engine, traces, publisher)
        with running, signals(ending), screen(pull, config, json_lines, ending) as shown:
            sink_warnings = SinkWarnings(bus, shown, ending.requested.set)
            supervise(engine, ending, sink_warnings.check)
            if not _is_live(watched):
                _drain(bus, ending, sink_warnings.check)
            bus.close(STOP_S)
        sink_warnings.losses()
        _draw(pull, svg)
    return _status(engine, ending, fail_on_alert)


def _is_live(watched: Sequence[CallSources]) -> bool:
    return any(source.live for w in watched for source in w.sources)


def _open_engine(watched: Sequence[CallSources], config: Config, bus: Bus, traces: Traces | None) -> Engine:
    """Return an engine that has all these calls."""
    rows = sum(len(source.channels) for w in watched for source in w.sources)
    with loading():
        scorer = open_scorer(config.model, rows, recorded=not _is_live(watched))
    engine = Engine(Pool(scorer, config, traces), RingBank(rows, config.input.ring_s), bus, config)
    for w in watched:
        engine.add(w.name, *w.sources, marks=w.marks)
    return engine


def _drain(bus: Bus, ending: StopRequest, check: Callable[[], None]) -> None:
    """Let the sinks take all of a recording: as long as it takes while they work, FAULT_WAIT_S while one fails."""
    works_at = time.monotonic()
    while not bus.drain(POLL_S) and not ending.requested.is_set():
        check()
        now = time.monotonic()
        if all(sink.ok for sink in bus.status()):
            works_at = now
        if now - works_at > FAULT_WAIT_S:
            return


def _status(engine: Engine, ending: StopRequest, fail_on_alert: bool) -> int:
    if ending.interrupted:
        return INTERRUPTED
    for call in engine.calls:
        if call.error is not None:
            raise call.error
    if fail_on_alert and engine.reporter.alerts_opened:
        return ALERTED
    recordings = not any(call.live for call in engine.calls)
    lost = any(sink.dropped for sink in engine.bus.status())
    return INCOMPLETE if recordings and lost and not ending.requested.is_set() else DONE


def _check_picture(svg: Path | None) -> None:
    """Raises BadInputError before the call is played, not after."""
    if svg is not None and (svg.is_dir() or not os.access(svg.parent, os.W_OK | os.X_OK)):
        raise BadInputError(f"the picture {svg} cannot be written", "name a file in a directory that exists")


def _draw(pull: Callable[[], View], svg: Path | None) -> None:
    if svg is None:
        return
    from monitor.dashboard import export_svg

    try:
        export_svg(pull(), svg)
    except OSError as error:
        raise BadInputError(f"the picture {svg} cannot be written: {error.strerror}", "name another file") from error


def call_name(stem: str, live: bool) -> str:
    """Name a call: a recording after its file, a live call after its source and the time, so that calls differ."""
    return f"{stem}-{time.strftime('%Y%m%dT%H%M%S')}" if live else stem
