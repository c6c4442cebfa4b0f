"""The plan of a simulated network, and what `monitor simulate` refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import assert_one_error, run_here, voice, write_wav

from monitor.simulate.plan import Impairments, departures

pytestmark = pytest.mark.realtime


def plan(network: Impairments, frames: int = 1000) -> list[tuple[float, int]]:
    return departures(frames, 0.02, network, np.random.default_rng(3))


def test_a_perfect_network_sends_every_frame_in_time() -> None:
    assert plan(Impairments(), 3) == [(0.0, 0), (0.02, 1), (0.04, 2)]
    assert plan(Impairments(), 0) == []


def test_so_many_frames_are_lost_as_was_asked() -> None:
    assert len(plan(Impairments(loss=0.05))) == pytest.approx(950, abs=25)
    assert plan(Impairments(loss=1.0)) == []


def test_jitter_delays_and_does_not_reorder_unless_asked() -> None:
    jittered = plan(Impairments(jitter_ms=60))
    assert [frame for _, frame in jittered] == list(range(1000))
    late = [at - frame * 0.02 for at, frame in jittered]
    assert min(late) >= 0
    assert 0.03 < max(late) < 0.061
    assert [at for at, _ in jittered] == sorted(at for at, _ in jittered)


def test_reordering_lets_frames_overtake_and_loses_none() -> None:
    frames = [frame for _, frame in plan(Impairments(reorder=True))]
    assert sorted(frames) == list(range(1000))
    assert frames != sorted(frames)


def test_what_cannot_be_simulated_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wav = str(write_wav(tmp_path / "call.wav", voice(0.5)))
    assert_one_error(run_here(capsys, "simulate", "nothing", wav), "no simulator for 'nothing'")
    assert_one_error(run_here(capsys, "simulate", "nothing", wav, "--with", "codec"), "is not KEY=VALUE")
