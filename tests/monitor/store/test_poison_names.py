"""A name that no disk takes, or an alert that cannot be written, must not stop the evidence of the next one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.config import BLOCK
from monitor.audio import Blocks
from monitor.config.schema import Config
from monitor.engine.calls import Call, Feed
from monitor.engine.ring_bank import RingBank
from monitor.errors import SinkError
from monitor.sinks import evidence_writer
from monitor.sinks.evidence_sink import TRIES, EvidenceSink
from monitor.sinks.evidence_writer import SET_ASIDE
from monitor.store.folder import DraftFolder
from monitor.store.verify_evidence import verify_folder
from monitor.types import Event

POISON = ("𐍈" * 100, "電話" * 64, "a" * 300, "../../up", "\ud800" * 100, "a\x00b")


def sink_of(root: Path, **settings: object) -> EvidenceSink:
    return EvidenceSink(Config.model_validate({"evidence_store": {"path": str(root), **settings}}), "epoch-9f3c1a")


def alert(sink: EvidenceSink, name: str, channel: str = "caller") -> None:
    """One call of two blocks with an alert, from its beginning to its end."""
    (ring,) = RingBank(1, 4.0).claim([1])
    call = Call(name, "test", (Feed((channel,), ring, live=True),))
    data: dict[str, Any] = {"alert": f"{name}/{channel}/1"}
    events = [
        Event("call.started", name, "", 0, {"channels": [channel]}),
        Event("alert.opened", name, channel, BLOCK, data),
        Event("call.ended", name, "", 2 * BLOCK, {}),
    ]
    sink.recorder.add_event(call.rows, events[0])
    sink.recorder.add_blocks(
        Blocks(np.array([0]), np.full((1, BLOCK), 0.25, np.float32), np.array([BLOCK]), np.ones(1))
    )
    for event in events[1:]:
        sink.recorder.add_event(call.rows, event)
    for seq, event in enumerate(events, 1):
        sink.emit(replace(event, seq=seq, epoch="epoch", time="2026-01-31T12:00:00Z"))


def said_within(sink: EvidenceSink, ticks: int) -> str:
    for _ in range(ticks):
        try:
            sink.tick()
        except SinkError as error:
            return error.message
    return ""


def calls_in(root: Path) -> list[str]:
    found = [json.loads((f / "manifest.json").read_bytes()) for f in root.iterdir() if f.is_dir()]
    return sorted(result["call"] for result in found if result["kind"] == "alert")


@pytest.mark.parametrize("retain", ["none", "alerts", "all"])
def test_evidence_of_every_name_is_kept_and_the_name_is_in_the_manifest(tmp_path: Path, retain: str) -> None:
    sink = sink_of(tmp_path, retain=retain)
    for name in POISON:
        alert(sink, name, channel=name)
    alert(sink, "good")
    sink.close()
    assert calls_in(tmp_path) == sorted((*POISON, "good"))
    assert [verify_folder(f).difference for f in tmp_path.iterdir()] == [""] * len(list(tmp_path.iterdir()))


def test_an_alert_that_cannot_be_written_is_set_aside_and_the_next_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = evidence_writer.write_alert

    def refuse(draft: DraftFolder, clip: Any, *rest: Any) -> Any:
        if clip.opened.call == "poison":
            raise OSError(36, os.strerror(36))
        return write(draft, clip, *rest)

    monkeypatch.setattr(evidence_writer, "write_alert", refuse)
    sink = sink_of(tmp_path)
    alert(sink, "poison")
    alert(sink, "good")
    assert calls_in(tmp_path) == ["good"], "it does not wait for the other"
    assert said_within(sink, TRIES).endswith(f"set aside, see {tmp_path / SET_ASIDE} (1 so far): File name too long")
    kept = [json.loads(line) for line in (tmp_path / SET_ASIDE).read_text().splitlines()]
    assert [(k["reason"], k["event"]["call"]) for k in kept] == [("File name too long", "poison")]
    assert sink.set_aside == 1
    sink.tick()
    sink.close()
    assert not [f for f in tmp_path.iterdir() if f.name.startswith(".")], "nothing half written is left"


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("no_umask")
@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_everything_in_the_evidence_is_for_its_owner_alone(tmp_path: Path) -> None:
    root = tmp_path / "kept"
    sink = sink_of(root, retain="all")
    alert(sink, "call")
    sink.close()
    modes = {path: path.stat().st_mode & 0o777 for path in (root, *root.rglob("*"))}
    assert len(modes) > 10
    assert modes == {path: 0o700 if path.is_dir() else 0o600 for path in modes}
