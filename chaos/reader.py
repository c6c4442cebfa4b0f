"""A subscriber under test: keeps every message together with its position in one write, and goes on from there."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from monitor.subscriber import Message, Position, Subscriber

PARENT = os.getppid()
"""This process ends when that one has ended."""


def recover(store: Path) -> Position:
    """Return the position in the last whole line; a line that a kill has cut short is taken off."""
    whole = store.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end < len(whole):
        os.truncate(store, end)
    kept = json.loads(whole[:end].splitlines()[-1])["position"]
    return Position(kept[0], kept[1], kept[2])


def main(address: str, replay: str, store: str, topic: str, high_water_mark: str, delay_s: str) -> None:
    """Run until killed."""
    since = recover(Path(store))
    mark, delay = int(high_water_mark), float(delay_s)
    with (
        open(store, "ab", buffering=0) as kept,
        Subscriber(address, [topic], high_water_mark=mark, since=since, replay=replay, silence_s=1.0) as subscriber,
    ):
        while os.getppid() == PARENT:
            item = subscriber.receive(0.1)
            position = subscriber.position
            if position is None or (item is None and position == since):
                continue
            since = position
            text = item.raw.decode() if isinstance(item, Message) else str(item)
            place = [position.epoch, position.seq, dict(position.seen)]
            if item is None:
                kept.write(json.dumps({"position": place}).encode() + b"\n")
                continue
            event = isinstance(item, Message) and bool(item.event.seq)
            line = {"event" if event else "notice": text, "position": place}
            kept.write(json.dumps(line).encode() + b"\n")
            if delay:
                time.sleep(delay)


if __name__ == "__main__":
    main(*sys.argv[1:])
