"""The alert threshold from genuine speech: the pure part on scores made by hand, and the command end to end."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_one_error, make_weights, run_here, settings, voice, write_wav
from hypothesis import given
from hypothesis.strategies import floats, lists

from model.config import BLOCK, BLOCK_S
from monitor.config.schema import AlertSection
from monitor.engine.decision import DecisionInput, decide, init_decision
from monitor.engine.operating_point import alarms, at_threshold, find_threshold, hours, peaks

CONFIG = AlertSection(alert_hold_s=0.1, close_hold_s=0.2)
HOUR = round(3600 / BLOCK_S)


def speech(*bumps: float, every: int = 5000) -> np.ndarray:  # type: ignore[type-arg]
    """Calm scores with a bump of half a second for each of the heights."""
    x = np.full(every * (len(bumps) + 1), -2.0)
    for i, height in enumerate(bumps, 1):
        x[i * every : i * every + 25] = height
    return x


def decided(x: np.ndarray, config: AlertSection) -> int:  # type: ignore[type-arg]
    """Alerts as the live program opens them, block by block."""
    decision, count, yes = init_decision(1), 0, np.ones(1, dtype=np.bool_)
    for b, llr in enumerate(x):
        heard = DecisionInput(np.array([llr]), yes, yes, np.array([(b + 1) * BLOCK]), yes)
        decision, changes = decide(config, decision, heard)
        count += int(changes.opened[0])
    return count


@given(steps=lists(floats(-1.5, 1.5), max_size=200), hold=floats(0.01, 0.2), close=floats(0.01, 0.2))
def test_alarms_are_those_of_the_live_decision(steps: list[float], hold: float, close: float) -> None:
    config = AlertSection(alert_hold_s=hold, close_hold_s=close)
    x = np.cumsum(steps)
    assert alarms([x], config) == decided(x, config)


def test_an_alert_that_is_open_opens_no_other() -> None:
    llr = [speech(3.0, 3.0, 1.0), speech(4.0), np.zeros(0)]
    assert alarms(llr, at_threshold(CONFIG, 2.5)) == 3
    assert alarms(llr, at_threshold(CONFIG, 3.5)) == 1
    assert alarms(llr, at_threshold(CONFIG, 0.9)) == 4
    assert alarms([], CONFIG) == 0


def test_a_peak_shorter_than_the_hold_raises_none() -> None:
    x = speech()
    x[100:104] = 7.0
    assert alarms([x], at_threshold(CONFIG, 2.5)) == 0
    assert peaks([x], CONFIG).max() < 0


def test_the_threshold_lies_just_above_what_may_not_alert() -> None:
    llr = [speech(*np.linspace(1.0, 4.0, 36), every=HOUR // 12)]
    assert hours(llr) == pytest.approx(37 / 12)
    found = find_threshold(llr, CONFIG, 2.0, 8.0)
    assert found is not None
    assert found.seen
    assert found.alarms == 6
    assert found.alert_llr == pytest.approx(np.linspace(1.0, 4.0, 36)[-7] + 0.05, abs=0.05)


def test_no_threshold_is_low_enough() -> None:
    assert find_threshold([np.tile(speech(9.0, every=2000), 100)], CONFIG, 2.0, 8.0) is None


def test_too_little_speech_to_count_is_continued_from_its_tail() -> None:
    heights = -0.5 * np.log1p(-(np.arange(240) + 0.5) / 240)  # as an exponential spreads them
    llr = [speech(*heights, every=3000)]
    found = find_threshold(llr, CONFIG, 0.1, 8.0)
    assert found is not None
    assert not found.seen
    # Of exponential peaks, one a minute: 60 an hour at 0, so 0.1 an hour lies ln(600) means higher.
    assert found.alert_llr == pytest.approx(0.5 * np.log(600), rel=0.1)
    assert found.per_hour <= 0.1


def test_a_minute_of_speech_is_too_little_for_anything() -> None:
    with pytest.raises(ValueError, match="too few: at least 20"):
        find_threshold([speech()], CONFIG, 0.1, 8.0)


def test_the_command_writes_a_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = make_weights(tmp_path / "w.safetensors")
    (tmp_path / "calls").mkdir()
    for i in range(2):
        write_wav(tmp_path / f"calls/{i}.wav", np.stack([voice(40.0, hiss=i == 1, seed=i), voice(40.0, seed=i + 7)], 1))
    (tmp_path / "calls/notes.txt").write_text("not audio")
    (tmp_path / "calls/broken.wav").write_text("not audio")
    out = tmp_path / "profile.toml"
    words = ("calibrate", "--genuine", tmp_path / "calls", "--out", out, "--weights", weights)
    words += ("--set", "webhook.secret=hunter2")
    ran = run_here(capsys, *map(str, words), "--target-false-alarms-per-hour", "100", *settings("alerts.alert_llr=3"))
    assert ran.status == 2, ran
    assert "broken.wav is not audio" in ran.err
    assert "notes.txt" not in ran.err
    assert "on 4 channels" in ran.out
    assert "alert_llr 3, as it is: 1 false alarms" in ran.out
    profile = tomllib.loads(out.read_text())
    assert "# webhook.secret is a secret and not written here" in out.read_text().splitlines()
    assert "hunter2" not in out.read_text()
    assert profile["model"]["weights"] == str(weights)
    assert run_here(capsys, "config", "--config", str(out)).status == 0


def test_what_cannot_be_calibrated_on_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert_one_error(run_here(capsys, "calibrate", "--genuine", str(tmp_path / "empty")), "holds no recordings")
    make_weights(tmp_path / "w.safetensors")
    write_wav(tmp_path / "call.wav", voice(4.0))
    words = ("calibrate", "--genuine", str(tmp_path / "call.wav"), "--weights", str(tmp_path / "w.safetensors"))
    assert_one_error(run_here(capsys, *words, "--out", str(tmp_path / "p.toml")), "more recordings")
    (tmp_path / "p.toml").touch()
    assert_one_error(run_here(capsys, *words, "--out", str(tmp_path / "p.toml")), "is there already")
