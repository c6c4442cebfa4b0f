"""Evidence as the program makes it: what is in a folder, what it is worth, and what a full disk does to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import (
    QUICK,
    Ran,
    Run,
    assert_one_error,
    make_detector,
    make_scorer,
    make_weights,
    settings,
    timeless,
    turning_call,
    voice,
    write_wav,
)

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Blocks, Chunk
from monitor.config.schema import Config
from monitor.engine.calls import Call, Feed
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.events.bus import Bus
from monitor.session.setup import start_sinks
from monitor.sinks.evidence_sink import EvidenceSink
from monitor.sinks.memory import MemorySink
from monitor.sources.scripted import ScriptedSource
from monitor.store.verify_evidence import verify_folder
from monitor.types import Event

pytestmark = pytest.mark.realtime

SPAN = ("evidence_store.before_s=3", "evidence_store.after_s=2")


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """A stereo call: left turns synthetic, right does not."""
    left = turning_call(4, 4, 5)
    return write_wav(tmp_path / "call.wav", np.stack([left, voice(13, seed=9)], axis=1))


@pytest.fixture
def run(call: Path, run: Run) -> Run:
    """`monitor`, in the folder of the call."""
    make_weights(call.parent / "hiss.safetensors")
    return run


def replay(run: Run, *words: str | Path, speed: str = "max") -> Ran:
    quick = settings(*QUICK, *SPAN)
    channels = ("--channels", "caller=left,agent=right")
    opened = ("--no-publish", "--screen", "off", "--weights", "hiss.safetensors")
    ran = run("replay", "call.wav", "--speed", speed, *channels, *opened, *quick, *words)
    assert (ran.status, ran.err) == (0, "")
    return ran


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return found


def the_folder(root: Path, kind: str = "alert") -> Path:
    found = [f for f in root.iterdir() if manifest(f)["kind"] == kind]
    assert len(found) == 1, list(root.iterdir())
    return found[0]


def test_an_alert_leaves_its_audio_what_was_said_and_the_means_to_check_it(
    run: Run, call: Path, tmp_path: Path
) -> None:
    replay(run, "--evidence", "kept", "--journal", "journal")
    folder = the_folder(tmp_path / "kept")
    result = manifest(folder)
    assert (result["call"], result["channel"], result["alert"]) == ("call", "caller", "call/caller/1")
    assert result["first_sample"] == result["opened_sample"] - 3 * SAMPLE_RATE
    assert result["last_sample"] == result["opened_sample"] + 2 * SAMPLE_RATE
    assert len(result["model"]) == 64
    assert result["versions"]["onnxruntime"]
    source, _ = soundfile.read(call, dtype="int16")
    for number, facts in enumerate(result["audio"]):
        samples, rate = soundfile.read(folder / facts["file"], dtype="int16")
        assert rate == SAMPLE_RATE
        assert facts["start_sample"] == result["first_sample"]
        assert np.array_equal(samples, source[result["first_sample"] : result["last_sample"], number])
        assert (folder / facts["picture"]).read_bytes().startswith(b"\x89PNG")
    journal = (tmp_path / "journal").read_text().splitlines()
    stripped = {
        json.dumps({k: v for k, v in json.loads(j).items() if k not in ("crc", "chain", "after")}) for j in journal
    }
    lines = (folder / "timeline.jsonl").read_text().splitlines()
    assert {json.dumps(json.loads(line)) for line in lines} <= stripped, "what the journal says, and nothing else"
    types = [json.loads(line)["type"] for line in lines]
    assert types[0] == "call.started"
    assert "alert.opened" in types
    assert json.loads((folder / "settings.json").read_bytes())["alerts.close_hold_s"] == 1
    assert folder.stat().st_mode & 0o077 == 0


def test_a_replay_makes_the_same_evidence_at_any_speed(run: Run, tmp_path: Path) -> None:
    replay(run, "--evidence", "max")
    replay(run, "--evidence", "six", speed="6")
    one, two = the_folder(tmp_path / "max"), the_folder(tmp_path / "six")
    for facts in manifest(one)["audio"]:
        for name in (facts["file"], facts["picture"]):
            assert (one / name).read_bytes() == (two / name).read_bytes()
    assert timeless((one / "timeline.jsonl").read_text()) == timeless((two / "timeline.jsonl").read_text())


def test_verify_names_what_was_changed_and_a_key_finds_the_forger(run: Run, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a secret of more than sixteen bytes\n")
    key.chmod(0o600)
    replay(run, "--evidence", "kept", *settings("evidence_store.key=key"))
    ran = run("verify", "kept", "--key", "key")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "whole: 7 files in 1 folder\nseal: made with this key\nnot proven: that no folder is missing\n"
    assert "the seal was not checked" in run("verify", "kept").out
    folder = the_folder(tmp_path / "kept")
    name = folder.name
    moved = folder.rename(folder.with_name("20200101T000000Z-another-call-1"))
    ran = run("verify", "kept", "--key", "key")
    assert (ran.status, ran.out) == (2, f"kept/{moved.name}: renamed: the folder was written as {name}\n")
    moved.rename(folder)
    timeline = folder / "timeline.jsonl"
    timeline.write_text(timeline.read_text().replace('"caller"', '"agent"', 1))
    ran = run("verify", "kept")
    assert (ran.status, ran.out) == (2, f"kept/{folder.name}: timeline.jsonl was changed\n")
    answer = json.loads(run("verify", folder, "--json").out)
    assert (answer["whole"], answer["fault"]) == (False, "timeline.jsonl was changed")
    assert_one_error(run("verify", tmp_path / "none"), "there is no journal")
    (tmp_path / "empty").mkdir()
    assert_one_error(run("verify", tmp_path / "empty"), "there is no evidence in")


def test_all_of_every_call_can_be_kept_or_no_audio_at_all(run: Run, call: Path, tmp_path: Path) -> None:
    replay(run, "--evidence", "all", *settings("evidence_store.retain=all"))
    folder = the_folder(tmp_path / "all", "call")
    source, _ = soundfile.read(call, dtype="int16")
    for number, facts in enumerate(manifest(folder)["audio"]):
        samples, _ = soundfile.read(folder / facts["file"], dtype="int16")
        assert np.array_equal(samples, source[: len(source) // BLOCK * BLOCK, number])
    types = [json.loads(line)["type"] for line in (folder / "timeline.jsonl").read_text().splitlines()]
    assert (types[0], types[-1]) == ("call.started", "call.ended")
    the_folder(tmp_path / "all", "alert")
    replay(run, "--evidence", "none", *settings("evidence_store.retain=none"))
    folder = the_folder(tmp_path / "none")
    assert manifest(folder)["audio"] == []
    assert sorted(f.name for f in folder.iterdir()) == [
        "README.txt",
        "manifest.json",
        "settings.json",
        "timeline.jsonl",
    ]
    assert run("verify", "all").status == run("verify", "none").status == 0


def test_numbers_are_redacted_in_the_evidence_too(run: Run, call: Path, tmp_path: Path) -> None:
    call.rename(tmp_path / "+493012345678.wav")
    words = ("--evidence", "kept", "--journal", "journal", *settings("publish.redact_numbers=true", *QUICK, *SPAN))
    ran = run(
        "replay",
        "+493012345678.wav",
        "--speed",
        "max",
        "--no-publish",
        "--weights",
        "hiss.safetensors",
        "--json",
        *words,
    )
    assert ran.status == 0
    folder = the_folder(tmp_path / "kept")
    texts = [ran.out, (tmp_path / "journal").read_text(), folder.name]
    texts += [f.read_text() for f in folder.iterdir() if f.suffix in (".json", ".jsonl")]
    for text in texts:
        assert "12345678" not in text
    assert manifest(folder)["call"] == json.loads(ran.out.splitlines()[0])["call"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--evidence", "call.wav/x"), "evidence folder call.wav/x: Not a directory"),
        (("--evidence", "kept", "--set", "evidence_store.key=none"), "cannot read the key none"),
        (("--evidence", "kept", "--set", "evidence_store.retain=some"), "evidence_store.retain"),
    ],
)
def test_what_cannot_be_used_is_told_before_the_call(run: Run, options: tuple[str, ...], expected: str) -> None:
    words = ("--no-publish", "--screen", "off", "--weights", "hiss.safetensors", *options)
    assert_one_error(run("replay", "call.wav", *words), expected)


# Against the engine itself


def listen(
    store: dict[str, Any], *chunks: Chunk, live: bool = False, after: Callable[[Bus], None] | None = None
) -> list[Any]:
    """Run an engine over chunks; the events that another sink got."""
    quick = {"evidence": {"memory_s": 1.5}, "alerts": {"close_hold_s": 1.0}}
    config = Config.model_validate(quick | {"evidence_store": {"before_s": 2.0, "after_s": 2.0} | store})
    sinks = [EvidenceSink(config, "epoch"), memory := MemorySink()]
    with Bus(sinks) as bus:
        engine = Engine(Pool(make_scorer(make_detector(), 1), config), RingBank(1, 4.0), bus, config)
        start_sinks(sinks, engine)
        engine.add("call", ScriptedSource(chunks, live=live))
        engine.run()
        if after:
            after(bus)
        assert bus.drain(60.0)
    return memory.events


def test_lost_audio_is_silence_and_stands_in_the_timeline(tmp_path: Path) -> None:
    samples = turning_call(3, 4, 5)
    lost = np.zeros((1, len(samples)), np.bool_)
    lost[0, 5 * SAMPLE_RATE : 5 * SAMPLE_RATE + 800] = True
    hole = 5 * SAMPLE_RATE + SAMPLE_RATE // 2
    first = Chunk(samples[None, :hole], 0, 0.0, lost[:, :hole])
    rest = Chunk(samples[None, hole + 1600 :], hole + 1600, 0.0)
    listen({"path": str(tmp_path)}, first, rest)
    folder = the_folder(tmp_path)
    facts = manifest(folder)["audio"][0]
    heard, _ = soundfile.read(folder / facts["file"], dtype="int16")
    expected = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
    expected[lost[0]] = 0
    expected[hole : hole + 1600] = 0
    start = facts["start_sample"]
    assert np.array_equal(heard, expected[start : start + len(heard)])
    lines = [json.loads(line) for line in (folder / "timeline.jsonl").read_text().splitlines()]
    holes = [(h["sample"], h["samples"], h["why"]) for h in lines if h["type"] == "hole"]
    assert holes == [(5 * SAMPLE_RATE, 960, "lost"), (hole, 1600, "lost")]
    assert facts["missing_samples"] == 2560


def test_a_full_disk_is_a_fault_the_alerts_go_on_and_nothing_half_written_appears(small_disk: Path) -> None:
    samples = turning_call(3, 4, 5)
    seen: list[list[Path]] = []

    def make_room(bus: Bus) -> None:
        while not any(s.fault for s in bus.status()):
            assert not bus.drain(0.1), "64 KiB cannot hold it"
        seen.append(list(small_disk.iterdir()))
        subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)

    events = listen({"path": str(small_disk)}, Chunk(samples[None], 0, 0.0), after=make_room)
    assert seen == [[]]
    types = [event.type for event in events if event.seq]
    assert "alert.opened" in types
    assert types[-1] == "call.ended"
    result = [event.data for event in events if event.type == "health"]
    assert [data["code"] for data in result] == ["sink fault", "sink recovered"]
    assert result[0]["detail"] == f"evidence: {small_disk}: No space left on device"
    folder = the_folder(small_disk)
    assert verify_folder(folder).difference == ""
    assert len(soundfile.read(folder / manifest(folder)["audio"][0]["file"])[0]) == 4 * SAMPLE_RATE


def test_a_call_that_has_ended_hears_nothing_of_the_next_one_on_its_rows(tmp_path: Path) -> None:
    """In `serve` the rows of a call are another's at once."""
    config = Config.model_validate({"evidence_store": {"path": str(tmp_path), "retain": "all"}})
    sink = EvidenceSink(config, "epoch")
    bank = RingBank(1, 4.0)
    for name, value in (("one", 0.25), ("two", 0.5)):
        (ring,) = bank.claim([1])
        call = Call(name, "test", (Feed(("mono",), ring, live=True),))
        sink.recorder.add_event(call.rows, Event("call.started", name, "", 0, {"channels": ["mono"]}))
        for number in range(1, 4):
            blocks = Blocks(
                np.array([0]), np.full((1, BLOCK), value, np.float32), np.array([number * BLOCK]), np.ones(1)
            )
            sink.recorder.add_blocks(blocks)
            if number == 2:
                sink.recorder.add_event(
                    call.rows, Event("alert.opened", name, "mono", 2 * BLOCK, {"alert": f"{name}/mono/1"})
                )
        sink.recorder.add_event(call.rows, Event("call.ended", name, "", 3 * BLOCK, {}))
        bank.release(ring)
    sink.tick()
    sink.close()
    assert len(list(tmp_path.iterdir())) == 4
    for folder in tmp_path.iterdir():
        heard, _ = soundfile.read(folder / manifest(folder)["audio"][0]["file"])
        assert set(heard) == {0.25 if manifest(folder)["call"] == "one" else 0.5}
        assert len(heard) == 3 * BLOCK
        assert verify_folder(folder).difference == ""


def test_old_evidence_goes_when_new_evidence_comes(tmp_path: Path) -> None:
    samples = turning_call(3, 4, 5)
    for _ in range(3):
        listen({"path": str(tmp_path), "keep_gb": 1e-6}, Chunk(samples[None], 0, 0.0))
    folder = the_folder(tmp_path)
    assert verify_folder(folder).difference == ""


def test_an_alert_near_the_end_is_kept_with_what_there_was(tmp_path: Path) -> None:
    samples = turning_call(3, 4, 0.1)
    listen({"path": str(tmp_path), "after_s": 60.0}, Chunk(samples[None], 0, 0.0))
    folder = the_folder(tmp_path)
    facts = manifest(folder)["audio"][0]
    assert facts["start_sample"] + facts["samples"] == len(samples) // BLOCK * BLOCK
    assert '"call.ended"' in (folder / "timeline.jsonl").read_text()
