"""Captures through the whole program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from capture_calls import flow, two_way
from captured import A6, B6, A, B, answer, capture, invite, packed
from helpers import events_of, make_weights, run_here, timeless

from monitor.rtp.packet import RtpPacket


def replayed(capsys: Any, path: Path, weights: Path, *words: str) -> Any:
    return run_here(capsys, "replay", path, "--weights", weights, "--no-publish", "--json", *words)


def test_replay_of_a_capture_says_what_it_hears_and_the_same_each_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gone = flow(A, B)[40:60]
    path = capture(tmp_path / "call.pcap", [s for s in two_way() if s not in gone])
    weights = make_weights(tmp_path / "w.safetensors")
    first = replayed(capfd, path, weights, "--speed", "max")
    assert first.status == 0
    events = events_of(first.out)
    assert events[0]["channels"] == [f"{A[0]}:4000", f"{B[0]}:5000"]
    assert events[-1]["lost_s"] == pytest.approx(0.4, abs=0.03)
    reasons = {
        c: {e["reason"] for e in events if e["type"] == "score" and e["channel"] == c} for c in events[0]["channels"]
    }
    assert "lost audio" in reasons[f"{A[0]}:4000"]
    assert "lost audio" not in reasons[f"{B[0]}:5000"]
    again = replayed(capfd, path, weights, "--speed", "4", "--read-ms", "7")
    assert timeless(again.out) == timeless(first.out)


def test_replay_of_a_capture_with_two_calls_watches_one_after_the_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    third, fourth = ("192.0.2.3", 6000), ("192.0.2.4", 7000)
    path = capture(tmp_path / "day.pcap", sorted([*two_way(), *flow(third, fourth, 1.0)], key=lambda s: s[0]))
    ran = replayed(capfd, path, make_weights(tmp_path / "w.safetensors"), "--speed", "max")
    began = [e["call"] for e in events_of(ran.out) if e["type"] == "call.started"]
    assert (ran.status, began) == (0, ["day-1", "day-2"])


def test_channels_of_a_capture_are_not_to_be_chosen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = capture(tmp_path / "call.pcap", two_way())
    ran = replayed(capfd, path, make_weights(tmp_path / "w.safetensors"), "--channels", "left")
    assert ran.status == 2
    assert "--channels does not go with a capture" in ran.err


def scored(capsys: Any, weights: Path, *words: object) -> Any:
    return run_here(capsys, "score", *words, "--weights", weights)


def test_score_takes_captures_beside_recordings(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    third, fourth = ("192.0.2.3", 6000), ("192.0.2.4", 7000)
    day = capture(tmp_path / "day.pcap", sorted([*two_way(), *flow(third, fourth, 1.0)], key=lambda s: s[0]))
    sf.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    weights = make_weights(tmp_path / "w.safetensors")
    ran = scored(capfd, weights, day, tmp_path / "a.wav", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.status == 0
    assert [(Path(str(x["path"])).name, x.get("call"), x["channel"]) for x in lines] == [
        ("day.pcap", "day-1", "192.0.2.1:4000"),
        ("day.pcap", "day-1", "192.0.2.2:5000"),
        ("day.pcap", "day-2", "192.0.2.3:6000"),
        ("a.wav", None, "mono"),
    ]
    assert lines[0]["duration_s"] == pytest.approx(2.3, abs=0.03)


def test_what_is_not_scored_is_named_by_score_and_replay(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = [(0.0, A, B, invite(A, B, rtpmap="98 EVS/16000")), (0.1, B, A, answer(B))]
    evs = [(0.2 + i * 0.02, B, A, packed(RtpPacket(98, False, i, i * 320, 7, bytes(33)))) for i in range(100)]
    unassigned = [(i * 0.02, B6, A6, packed(RtpPacket(97, False, i, i * 160, 1, bytes(33)))) for i in range(50)]
    sent = sorted([*result, *flow(A, B, 0.2), *evs, *unassigned], key=lambda s: s[0])
    path, weights = capture(tmp_path / "call.pcap", sent, "raw"), make_weights(tmp_path / "w.safetensors")
    ran = scored(capfd, weights, path)
    assert ran.status == 0
    assert "callee: not scored: evs not scored: there is no decoder: 100 packets" in ran.err
    assert "not scored: payload type 97 (33 bytes, 160 units of the clock apart)" in ran.err
    assert "callee  " in ran.out.splitlines()[1]
    assert "unknown" in ran.out.splitlines()[1]
    ran = replayed(capfd, path, weights, "--speed", "max")
    events = events_of(ran.out)
    assert ran.status == 0
    (health,) = [e for e in events if e["type"] == "health"]
    assert (health["channel"], health["code"], health["usable"]) == ("callee", "not scored", False)
    changes = [e for e in events if e["type"] == "state.changed" and e["channel"] == "callee"]
    assert [c["state"] for c in changes] == ["unknown"]
    assert changes[0]["why"].startswith("not scored: evs not scored")
    assert "not scored: payload type 97" in ran.err


def test_a_recording_without_header_is_scored_as_it_is_said_to_be(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "msg.ul").write_bytes(bytes(16_000))
    weights = make_weights(tmp_path / "w.safetensors")
    refused = scored(capfd, weights, tmp_path / "msg.ul")
    assert refused.status == 2
    assert "--format mulaw,8000" in refused.err
    ran = scored(capfd, weights, tmp_path / "msg.ul", "--format", "mulaw,8000", "--json")
    assert (ran.status, json.loads(ran.out)["duration_s"]) == (0, 2.0)
    assert replayed(capfd, tmp_path / "msg.ul", weights, "--format", "mulaw,8000", "--speed", "max").status == 0
