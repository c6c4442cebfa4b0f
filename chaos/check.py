"""Check that a subscriber holds exactly the events of the journal, in its order."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from monitor.events import wire
from monitor.journal import chain, journal_files
from monitor.journal.journal_verifier import JournalVerifier

Key = tuple[str, int]
TAIL_BYTES = 1 << 16
REMEMBERED = 100_000
"""Lines; a scene has some 15 000 events, as the journal has them and as three subscribers do."""


@dataclass(frozen=True)
class Kept:
    """One event as somebody has it. body: without what a transport or a journal adds."""

    key: Key
    topic: str
    body: str
    unjournaled: bool


@lru_cache(maxsize=REMEMBERED)
def kept(raw: bytes) -> Kept:
    """Parse a line of a journal or a message. Each round reads what the rounds before it have read."""
    message = wire.decode(raw)
    event = message.event
    body = [event.type, event.call, event.channel, event.sample, event.time, dict(event.data)]
    return Kept((event.epoch, event.seq), message.topic, json.dumps(body, sort_keys=True), event.unjournaled)


@lru_cache(maxsize=REMEMBERED)
def recorded(line: bytes) -> Kept | None:
    """Parse a line of a journal; None for one that is no event."""
    return kept(line) if chain.parse(line[:-1]) else None


def journal(path: Path) -> tuple[list[Kept], str]:
    """Return its events, and what is wrong with it, or ""."""
    verifier = JournalVerifier()
    found: list[Kept] = []
    for file in [*journal_files.rotated_files(path), *([path] if path.exists() else [])]:
        lines = file.read_bytes().splitlines(keepends=True)
        if not verifier.file(lines):
            return found, f"{file.name}, line {verifier.found.line}: {verifier.found.fault}"
        found += [event for line in lines if (event := recorded(line)) is not None]
    return found, ""


def store(path: Path) -> tuple[list[Kept], list[str], Any]:
    """Return the files that a subscriber writes: events, notices, its position."""
    events, notices, position = [], [], None
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        item = json.loads(line)
        position = item["position"]
        if "event" in item:
            events.append(kept(item["event"].encode()))
        elif "notice" in item:
            notices.append(item["notice"])
    return events, notices, position


def reached(path: Path) -> Key | None:
    """Return (epoch, seq) of the newest position in a store, from its end alone."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
    try:
        epoch, seq, _ = json.loads(lines[-1])["position"]
    except (IndexError, ValueError):
        return None
    return epoch, seq


def fault(written: list[Kept], held: list[Kept], topic: str) -> str:
    """Describe the first fault in the events that a subscriber of a topic prefix holds, or "".

    An event that was published while the disk was full and lost with the publisher before there was room again is
    marked as not journaled; whoever got it has one more than the journal.
    """
    wanted = [event for event in written if event.topic.startswith(topic)]
    keys = [event.key for event in held]
    if len(set(keys)) != len(keys):
        return f"{len(keys) - len(set(keys))} events twice"
    known = {event.key: event for event in wanted}
    if strange := [event.key for event in held if event.key not in known and not event.unjournaled]:
        return f"{len(strange)} events that no journal has, the first {strange[0]}"
    mine = [event for event in held if event.key in known]
    if lost := known.keys() - {event.key for event in mine}:
        return f"{len(lost)} of {len(known)} events lost, the first {min(lost)}"
    if altered := [event.key for event in mine if event.body != known[event.key].body]:
        return f"{len(altered)} events altered, the first {altered[0]}"
    return _disorder(wanted, mine, whole=topic == "")


def _disorder(wanted: list[Kept], mine: list[Kept], *, whole: bool) -> str:
    """Check the order: of all events for a subscriber of everything, of each topic for one of a part."""
    ordered: dict[str, list[Key]] = defaultdict(list)
    came: dict[str, list[Key]] = defaultdict(list)
    for events, into in ((wanted, ordered), (mine, came)):
        for event in events:
            into["" if whole else event.topic].append(event.key)
    return "out of order" if ordered != came else ""
