"""The measurements of detection and of drift, with detectors whose verdict is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import Says, make_weights
from tiny_corpus import RATE, make_corpus, voice

from benchmarks import calls, drift, false_alarms, real_speech, rules, synthetic_calls
from benchmarks.synthetic_calls import FAKE, GENUINE, TURNS, SyntheticCall, SyntheticCaller, onsets, stack
from benchmarks.trace import Trace, keep, merged, play
from model.config import BLOCK
from monitor.config.schema import Config, ModelSection
from monitor.engine.operating_point import at_threshold
from training.corpora.bank import build_bank
from training.evaluate.trials import choose


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus")).parent


@pytest.fixture(scope="module", autouse=True)
def _short() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic_calls, "GENUINE_S", 8.0)
        patch.setattr(synthetic_calls, "BEFORE_S", (5.0, 6.0))
        patch.setattr(synthetic_calls, "FAKE_S", 8.0)
        patch.setattr(real_speech, "TURN_S", 5.0)
        yield


def _quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def nine(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[SyntheticCall]:
    bank = build_bank(choose([corpus], "dev"), tmp_path_factory.mktemp("bank"), 1, lambda *_: None)
    caller = SyntheticCaller(bank, ["clean"])
    return [caller.call(i) for i in range(9)]


@pytest.fixture(scope="module")
def found_by_hiss(nine: list[SyntheticCall], tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return play(_config(tmp_path_factory.mktemp("hiss"), "hiss"), stack([c.audio for c in nine]), _quiet)


def test_calls_have_their_kind_and_turn_where_they_say(nine: list[SyntheticCall]) -> None:
    assert [c.kind for c in nine] == [GENUINE, FAKE, TURNS] * 3
    assert {c.onset for c in nine if c.kind == GENUINE} == {None}
    assert {c.onset for c in nine if c.kind == FAKE} == {0}
    for call in nine:
        assert len(call.audio) % BLOCK == 0
        treble = np.abs(np.diff(call.audio, 4))
        if call.kind == TURNS:
            assert call.onset is not None
            assert 5 * RATE <= call.onset <= 11 * RATE
            assert treble[call.onset :].mean() > 10 * treble[: call.onset].mean()
    rows = stack([c.audio for c in nine])
    assert rows.shape == (9, max(len(c.audio) for c in nine))
    assert np.isnan(rows).sum() == sum(rows.shape[1] - len(c.audio) for c in nine)
    assert onsets(nine)[1] == 0


def _config(folder: Path, says: Says) -> Config:
    return Config(model=ModelSection(weights=str(make_weights(folder / "w.safetensors", says))))


def test_a_good_detector_finds_every_fake_without_a_false_alarm(
    nine: list[SyntheticCall], found_by_hiss: Trace
) -> None:
    config, trace = Config(), found_by_hiss
    opened, _ = calls.alerts_at(trace, config.alerts)
    np.testing.assert_array_equal(opened, trace.opened)
    found, net = calls.point(trace, onsets(nine), config.alerts)
    assert (found.false_alarms, found.fakes, found.detected) == (0, 6, 1.0)
    assert np.isnan(net).sum() == 3
    from_start = net[[c.kind == FAKE for c in nine]]
    least = config.evidence.min_speech_s + config.alerts.alert_hold_s
    np.testing.assert_allclose(from_start, least, atol=0.1)
    assert found.audio_to_detect_s >= found.net_speech_to_detect_s
    assert 0 < found.at_most_per_hour == pytest.approx(3.0 / found.genuine_hours, rel=0.01)
    strict, _ = calls.point(trace, onsets(nine), at_threshold(config.alerts.model_copy(update={"whole_llr": 7.9}), 7.9))
    assert strict.detected < 1.0


def test_a_detector_that_calls_everything_fake_raises_false_alarms_and_detects_no_turn(
    nine: list[SyntheticCall], tmp_path: Path
) -> None:
    config = _config(tmp_path, "synthetic")
    trace = play(config, stack([c.audio for c in nine]), _quiet)
    found, net = calls.point(trace, onsets(nine), config.alerts)
    assert found.false_alarms == 6
    assert found.fakes == 3
    assert np.isnan(net[[c.kind == TURNS for c in nine]]).all()


def test_the_command_writes_figures_and_a_picture(corpus: Path, tmp_path: Path) -> None:
    weights = make_weights(tmp_path / "hiss.safetensors")
    words = ["--corpus", str(corpus), "--calls", "6", "--channel", "clean", "--weights", str(weights)]
    words += ["--cache", str(tmp_path), "--out", str(tmp_path / "c.json"), "--picture", str(tmp_path / "c.png")]
    calls.main(words)
    found = json.loads((tmp_path / "c.json").read_text())
    assert found["calls"] == {GENUINE: 2, FAKE: 2, TURNS: 2}
    assert found["at_default"]["detected"] == 1.0
    assert len(found["sweep"]) == len(calls.THRESHOLDS)
    assert (tmp_path / "c.png").stat().st_size > 10_000


def test_fakes_of_chosen_parts_alone(corpus: Path, tmp_path: Path) -> None:
    second = make_corpus(tmp_path / "second")
    second.write_text(second.read_text().replace(",lab,", ",spoken,").replace(",wild,", ",spoken,"))
    weights = make_weights(tmp_path / "hiss.safetensors")
    words = ["--corpus", str(corpus), str(second.parent), "--calls", "4", "--channel", "clean", "--seconds", "4"]
    words += ["--weights", str(weights), "--cache", str(tmp_path), "--out", str(tmp_path / "c.json")]
    words += ["--picture", str(tmp_path / "c.png")]
    calls.main([*words, "--fakes", "spoken"])
    found = json.loads((tmp_path / "c.json").read_text())
    assert set(found["by_group"]["part"]) == {"spoken"}
    assert sum(row["fakes"] for row in found["by_group"]["system"].values()) == 2
    with pytest.raises(SystemExit, match="name other --part or --fakes"):
        calls.main([*words, "--fakes", "nobody"])


@pytest.mark.parametrize(("says", "alarms"), [("genuine", 0), ("synthetic", 1)])
def test_drift_is_measured_over_turns_of_all_voices(says: str, alarms: int, tmp_path: Path) -> None:
    assert says in ("genuine", "synthetic")
    voices = {}
    for name in ("anna", "bert"):
        paths = [tmp_path / f"{name}-{i}.wav" for i in range(4)]
        for i, path in enumerate(paths):
            soundfile.write(path, voice(i, 1.2), RATE)
        voices[name] = paths
    weights = make_weights(tmp_path / "w.safetensors", "genuine" if says == "genuine" else "synthetic")
    config = Config.model_validate({"model": {"weights": str(weights)}})
    found = drift.measure(config, voices, 0.3, tmp_path / "pictures" / "drift.png", _quiet)
    assert found["minutes"] == 0.3
    assert found["false_alarms"] == alarms
    assert (found["share_of_time_suspicious"] > 0.5) == bool(alarms)
    assert found["carried_minus_fresh_llr_mean_last_10_min"] == pytest.approx(0.0, abs=1e-6)
    assert found["slope_per_hour"] == pytest.approx(0.0, abs=1e-6)
    assert set(found["voices"]) == {"anna", "bert"}
    assert found["clips_heard_again"] > 0
    assert (tmp_path / "pictures" / "drift.png").stat().st_size > 10_000


def test_prompts_are_sorted_by_voice_and_hold_speech_only(tmp_path: Path) -> None:
    for name in ("en/digits/1.wav", "en/digits/1.g722", "en/beep.wav", "en/silence/1.wav", "fr/a.wav", "fr/a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {k: [p.name for p in v] for k, v in real_speech.prompts(tmp_path).items()}
    assert found == {"en": ["1.wav"], "en, G.722": ["1.g722"], "fr": ["a.wav"]}


def test_no_speech_at_all_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(drift, "PROMPTS", tmp_path)
    weights = make_weights(tmp_path / "w.safetensors", "genuine")
    with pytest.raises(SystemExit, match="there is no speech"):
        drift.main(["--weights", str(weights), "--corpus", str(tmp_path / "none")])


def test_short_calls_are_genuine_or_fake_throughout(corpus: Path, tmp_path: Path) -> None:
    bank = build_bank(choose([corpus], "dev"), tmp_path, 1, lambda *_: None)
    caller = SyntheticCaller(bank, ["clean"], seconds=4.0)
    short = [caller.call(i) for i in range(4)]
    assert [(c.kind, c.onset) for c in short] == [(GENUINE, None), (FAKE, 0)] * 2
    assert all(4 * RATE <= len(c.audio) < 10 * RATE for c in short)


@pytest.mark.parametrize("says", ["genuine", "synthetic"])
def test_false_alarms_are_counted_by_source_and_channel(says: Says, corpus: Path, tmp_path: Path) -> None:
    out, weights = tmp_path / "out.json", make_weights(tmp_path / "w.safetensors", says)
    arguments = ["--corpus", str(corpus), "--channel", "clean", "g711-mu", "--call-s", "8", "--out", str(out)]
    false_alarms.main([*arguments, "--weights", str(weights)])
    found = json.loads(out.read_text())
    assert set(found["by_channel"]) == {"clean", "g711-mu"}
    assert found["all"]["calls"] == sum(row["calls"] for row in found["by_source"].values()) > 0
    assert found["all"]["hours"] == pytest.approx(sum(row["hours"] for row in found["by_channel"].values()), abs=0.01)
    assert sum(row["calls"] for row in found["by_source_and_channel"].values()) == found["all"]["calls"]
    assert (found["all"]["false_alarms"] > 0) == (says == "synthetic") == bool(found["voices"])


def test_an_empty_recording_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prompts = tmp_path / "anna"
    prompts.mkdir()
    soundfile.write(prompts / "empty.wav", np.zeros(0), RATE)
    arguments = ["--corpus", "--prompts", str(tmp_path), "--channel", "clean", "--out", str(tmp_path / "out.json")]
    arguments += ["--weights", str(make_weights(tmp_path / "w.safetensors", "genuine"))]
    with pytest.raises(SystemExit, match="none of the recordings can be played"):
        false_alarms.main(arguments)
    soundfile.write(prompts / "speech.wav", voice(0, 4.0), RATE)
    false_alarms.main(arguments)
    assert capsys.readouterr().err.count("empty.wav holds no samples") == 2
    assert json.loads((tmp_path / "out.json").read_text())["all"]["calls"] == 1


def test_kept_calls_are_decided_again_for_other_rules(
    nine: list[SyntheticCall], found_by_hiss: Trace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = found_by_hiss
    both = merged([trace, play(_config(tmp_path, "synthetic"), stack([c.audio for c in nine[:2]]), _quiet)])
    assert both.speech.sum() > trace.speech.sum()
    assert both.llr.shape == (len(trace.llr), 11)
    kept = tmp_path / "kept.npz"
    keep(kept, trace, onsets(nine), "abc")
    rules.main([str(kept), "--alert-llr", "2.75", "7.9", "--whole-llr", "7.9"])
    strict, lax = sorted(capsys.readouterr().out.splitlines()[2:], reverse=True)
    assert "0 in" in lax
    assert "100 %" in lax
    assert "0 %, nan" in strict
    with pytest.raises(SystemExit, match="cannot read what was kept"):
        rules.main([str(tmp_path / "none.npz")])
