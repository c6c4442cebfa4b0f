"""The sinks that the configuration can turn on. A new one is a file, a line here and a test."""

from __future__ import annotations

from collections.abc import Callable

from monitor.config import Config
from monitor.sinks.outlets import OUTLETS
from monitor.types import Sink

Builder = Callable[[Config, str], Sink | None]


def _zeromq(config: Config, epoch: str) -> Sink | None:
    section = config.zeromq
    if not section.enabled:
        return None
    from monitor.sinks.zeromq import ZeromqSink

    return ZeromqSink(section.address, epoch, section.heartbeat_s, section.high_water_mark)


def _journal(config: Config, epoch: str) -> Sink | None:  # noqa: ARG001
    if not config.journal.path:
        return None
    from monitor.sinks.journal import JournalSink

    return JournalSink(config.journal.path)


SINKS: dict[str, Builder] = {"zeromq": _zeromq, "journal": _journal, **OUTLETS}


def open_sinks(config: Config, epoch: str) -> list[Sink]:
    """Those that are turned on. Raises BadInputError for one that cannot be opened; none is then left open."""
    opened: list[Sink] = []
    try:
        for build in SINKS.values():
            if sink := build(config, epoch):
                opened += [sink, *getattr(sink, "companions", ())]
    except BaseException:
        for sink in opened:
            sink.close()
        raise
    return opened
