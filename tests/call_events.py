"""The events of a call, for the tests that keep calls."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import soundfile
from numpy.typing import NDArray

from monitor.config.schema import JournalSection
from monitor.sinks.journal import JournalSink
from monitor.store.seal import FORMAT
from monitor.types import SAMPLE_RATE, Event

EPOCH = "20260131T120000Z-9f3c1a"


def at(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event(what: str, second: float = 0.0, call: str = "a", epoch: str = EPOCH, time: str = "", **data: object) -> Event:
    channel = "" if what.startswith("call") else "caller"
    return Event(what, call, channel, round(second * SAMPLE_RATE), data, 1, epoch, time or at(0.0))


def figures(state: str, llr: float, net_speech_s: float) -> dict[str, object]:
    return {"state": state, "llr": llr, "p_fake": 1 / (1 + math.exp(-llr)), "net_speech_s": net_speech_s}


def a_call() -> Iterator[Event]:
    """Clear for 5 s, then an alert that closes."""
    yield event("call.started", source="rtp", channels=["caller"], details={"from": "+4930123"}, model="abc")
    for second in range(1, 5):
        yield event("score", second, **figures("listening" if second < 2 else "clear", -2.0, float(second)))
    yield event("state.changed", 2.0, **figures("clear", -2.0, 2.0), why="low")
    yield event("state.changed", 5.0, **figures("alert", 3.0, 5.0), why="high")
    alert = {"alert": "a/caller/1", "opened_s": 5.0, "peak_llr": 3.0, "why": "high"}
    yield event("alert.opened", 5.0, **figures("alert", 3.0, 5.0), **alert)
    yield event("score", 6.0, **figures("alert", 4.0, 6.0))
    yield event("alert.closed", 9.0, **figures("alert", -1.0, 7.0), **alert | {"peak_llr": 4.2})
    yield event("state.changed", 9.0, **figures("clear", -1.5, 7.0), why="low again")
    last = {"caller": figures("clear", 0.5, 7.5) | {"alerts": 1, "families": {"a": 0.5, "b": None}}}
    yield event("call.ended", 10.0, why="hung up", duration_s=10.0, lost_s=0.4, channels=last)


def write_journal(path: Path, events: list[Event]) -> None:
    """Write them as the monitor does."""
    sink = JournalSink(path, JournalSection(path=str(path)))
    for number, each in enumerate(events, 1):
        sink.emit(Event(each.type, each.call, each.channel, each.sample, each.data, number, each.epoch, each.time))
    sink.close()


def keep_evidence(root: Path, call: str, samples: NDArray[Any]) -> None:
    """Write the evidence of the first alert of a call, with audio and without a picture."""
    folder = root / f"20260131T120000Z-alert-{call}"
    folder.mkdir(parents=True)
    soundfile.write(folder / "audio-1-caller.flac", samples, 16_000, subtype="PCM_16")
    audio = {"channel": "caller", "file": "audio-1-caller.flac", "start_sample": 0, "samples": len(samples)}
    about = {"format": FORMAT, "kind": "alert", "call": call, "channel": "caller", "alert": f"{call}/caller/1"}
    facts = about | {"epoch": EPOCH, "time": "", "audio": [audio | {"missing_samples": 0}], "files": {}}
    (folder / "manifest.json").write_text(json.dumps(facts))
