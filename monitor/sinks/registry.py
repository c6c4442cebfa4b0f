"""The sinks that the configuration can turn on. A new one is a file, a line here and a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from monitor.config.addresses import check_reach, split_host
from monitor.config.schema import Config, ZeromqSection
from monitor.events import wire
from monitor.events.sink import Sink
from monitor.sinks.outlets import OUTLETS

Builder = Callable[[Config, str], list[Sink]]


def _zeromq(config: Config, epoch: str) -> list[Sink]:
    section = config.zeromq
    if not section.enabled:
        return []
    from monitor.delivery.publisher_sockets import PublisherAddresses
    from monitor.delivery.recent_events import RecentEvents
    from monitor.sinks.zeromq import ZeromqSink

    _check_reach(section)
    keys = Path(section.keys) if section.keys else None
    places = PublisherAddresses(section.address, section.replay_address, section.high_water_mark, keys)
    history = RecentEvents(section.replay_events, section.replay_mib << 20)
    journal = Path(config.journal.path) if config.journal.path else None
    return [ZeromqSink(places, epoch, section.heartbeat_s, history, journal, source=config.publish.source)]


def _check_reach(section: ZeromqSection) -> None:
    """Raises BadInputError where the network could read along."""
    wire.check_address(section.address)
    for key, address in (("zeromq.address", section.address), ("zeromq.replay_address", section.replay_address)):
        if address.startswith("tcp://"):
            host = split_host(address.removeprefix("tcp://"))[0]
            check_reach(
                key,
                host,
                secured=bool(section.keys),
                insecure=section.insecure,
                secure_by='encrypt it (monitor keys new; zeromq.keys = "keys")',
                allow="zeromq.insecure",
            )


def _journal(config: Config, epoch: str) -> list[Sink]:  # noqa: ARG001
    if not config.journal.path:
        return []
    from monitor.sinks.journal import JournalSink

    return [JournalSink(config.journal.path, config.journal)]


def _evidence(config: Config, epoch: str) -> list[Sink]:
    if not config.evidence_store.path:
        return []
    from monitor.sinks.evidence_sink import EvidenceSink

    return [EvidenceSink(config, epoch)]


SINKS: dict[str, Builder] = {"zeromq": _zeromq, "journal": _journal, "evidence": _evidence, **OUTLETS}


def open_sinks(config: Config, epoch: str) -> list[Sink]:
    """Return the sinks that are turned on. Raises BadInputError for one that cannot be opened; none is then left
    open."""
    opened: list[Sink] = []
    try:
        for build in SINKS.values():
            opened += build(config, epoch)
    except BaseException:
        for sink in opened:
            sink.close()
        raise
    return opened
