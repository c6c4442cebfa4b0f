"""Whole training runs on a corpus of synthetic sounds, and what they prepare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from model.checkpoint import describe, load_detector, read_detector, save_detector
from model.config import FAMILIES, DetectorConfig, FeatureConfig, NetworkConfig
from training.cli.main import app
from training.corpora import splits
from training.corpora.bank import read_audio
from training.evaluate.scoring import score_clips
from training.learn import hard_sources, material, prepare
from training.learn.losses import LossWeights
from training.learn.prepare import TrainingPlan
from training.learn.sampler import CallSampler, SamplingWeights
from training.learn.settings import TrainConfig

CPU = torch.device("cpu")


def test_what_was_rendered_is_rendered_once(corpus: Path, tmp_path: Path) -> None:
    """A version more, and a corpus more, leave what the cache has as it is."""
    first = material.prepare([corpus], 2, tmp_path, 1, lambda _: None)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("version-*")}
    result: list[str] = []
    more = material.prepare([corpus], 3, tmp_path, 1, result.append)
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("version-*")}
    assert len(before) == 1
    assert len(after) == 2
    assert before.items() < after.items()
    assert [line for line in result if line.startswith("channels")] == ["channels: version 2 of 2, 24 clips"]
    np.testing.assert_array_equal(more.versions[:2], first.versions)
    np.testing.assert_array_equal(more.versions[0], more.bank.audio)
    assert not np.array_equal(more.versions[1], more.versions[2])
    again = material.prepare([corpus], 3, tmp_path, 1, result.append)
    assert len(list(tmp_path.glob("speech-*"))) == 2
    np.testing.assert_array_equal(again.versions, more.versions)
    again.versions[0, 0] += 1
    assert more.versions[0, 0] == again.versions[0, 0] - 1, "what a training changes is its own"


@pytest.mark.skipif(not Path("/proc/self/smaps").is_file(), reason="Linux alone tells which memory is shared")
def test_speech_is_laid_together_once_for_all_processes(corpus: Path, tmp_path: Path) -> None:
    """Every process maps the file: memory holds it once, and none of it is of the process alone."""
    held = material.prepare([corpus], 2, tmp_path, 1, lambda _: None)
    sampler = CallSampler(held.bank, held.versions, held.others, FAMILIES, SamplingWeights({}), CPU, 0)
    sampler.draw(4, 4.0)
    (path,) = tmp_path.glob("speech-*")
    spans = Path("/proc/self/smaps").read_text(encoding="utf-8").split(str(path))[1:]
    assert spans, "the training maps the file itself"
    assert sum(int(span.split("Private_Dirty:")[1].split()[0]) for span in spans) == 0


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_training")]


MODEL = DetectorConfig(
    features=FeatureConfig(n_filters=24), network=NetworkConfig("lstm", embedding=16, hidden=16, dropout=0.0)
)


def _train(
    corpus: Path,
    out: Path,
    steps: int,
    seed: int = 1,
    start: Path | None = None,
    rate: float = 0.02,
    precision: str = "float32",
    model: DetectorConfig = MODEL,
    teachers: Sequence[Path] = (),
    loss: LossWeights | None = None,
    hard: Sequence[str] = (),
) -> tuple[Path, list[str]]:
    config = TrainConfig(
        steps=steps, minutes=1e9, rows=8, seconds=2.0, learning_rate=rate, warm_up=5, validate_every=10, seed=seed,
        precision=precision, loss=loss or LossWeights(),
    )  # fmt: skip
    result: list[str] = []
    plan = TrainingPlan([corpus], out, corpus.parent / "cache", {}, versions=2, workers=1, device="cpu", start=start)
    plan = replace(plan, teachers=teachers, hard_sources=hard)
    return prepare.run(model, config, plan, result.append), result


def test_a_run_learns_and_is_taken_up_again_where_it_stopped(corpus: Path, tmp_path: Path) -> None:
    _train(corpus, tmp_path, steps=20)
    path, result = _train(corpus, tmp_path, steps=60)
    assert "resumed at step 20" in result
    history = json.loads((tmp_path / "history.json").read_text())
    assert [row["step"] for row in history] == [10, 20, 30, 40, 50, 60]
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert history[-1]["lab_eer"] < 0.3
    assert history[-1]["wild_eer"] < 0.3
    detector = load_detector(path)
    assert detector.config.calibration.scale > 0
    assert detector.config.network == MODEL.network
    assert json.loads(describe(path)["training"])["steps"] == 60
    _, result = _train(corpus, tmp_path, steps=60)
    assert "resumed at step 60" in result


def test_the_same_seed_gives_the_same_weights(corpus: Path, tmp_path: Path) -> None:
    one, same, other = (
        load_detector(_train(corpus, tmp_path / str(i), 6, seed)[0]).state_dict() for i, seed in enumerate((5, 5, 6))
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["network.spoof.weight"], other["network.spoof.weight"])


def test_a_run_goes_on_from_the_weights_of_another(corpus: Path, tmp_path: Path) -> None:
    first, _ = _train(corpus, tmp_path / "first", 6)
    same, _ = _train(corpus, tmp_path / "same", 2, seed=2, start=first, rate=0.0)
    held, kept = load_detector(first).state_dict(), load_detector(same).state_dict()
    assert all(torch.equal(held[name], kept[name]) for name in held)
    assert json.loads(describe(same)["training"])["started from"]["sha256"] == describe(first)["sha256"]
    on, _ = _train(corpus, tmp_path / "on", 2, seed=2, start=first)
    assert not torch.equal(load_detector(on).state_dict()["network.spoof.weight"], held["network.spoof.weight"])


def test_clips_are_drawn_by_what_the_start_makes_of_their_sources(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = _train(corpus, tmp_path / "first", 2)
    alike, said = _train(corpus, tmp_path / "alike", 4, start=first)
    assert not any("times as often" in line for line in said)
    _, said = _train(corpus, tmp_path / "scored", 1, start=first, hard=["wild"])
    assert any("times as often" in line for line in said)
    monkeypatch.setattr(hard_sources, "mined", lambda _start, bank, *_: np.linspace(0.3, 3, len(bank.clips)))
    mined, _ = _train(corpus, tmp_path / "mined", 4, start=first, hard=["wild"])
    head = "network.spoof.weight"
    assert not torch.equal(load_detector(alike).state_dict()[head], load_detector(mined).state_dict()[head])


def test_the_command_trains_and_names_impossible_settings(corpus: Path, tmp_path: Path) -> None:
    arguments = ["train", "--corpus", str(corpus), "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    arguments += ["--steps", "2", "--rows", "4", "--seconds", "2", "--network", "lstm", "--hidden", "8", "--filters"]
    arguments += ["20", "--versions", "1", "--workers", "1", "--device", "cpu"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert load_detector(tmp_path / "run" / "weights.safetensors").config.features.n_filters == 20
    bad = CliRunner().invoke(app, [*arguments, "--channels", "24,x"])
    assert bad.exit_code == 2
    assert "write whole numbers" in bad.output
    bad = CliRunner().invoke(app, [*arguments, "--band", "100"])
    assert bad.exit_code == 2
    assert "write two frequencies" in bad.output


def test_the_band_of_the_features_is_that_of_the_command(corpus: Path, tmp_path: Path) -> None:
    arguments = ["train", "--corpus", str(corpus), "--out", str(tmp_path), "--cache", str(tmp_path / "cache")]
    arguments += ["--steps", "1", "--rows", "2", "--seconds", "1", "--network", "lstm", "--hidden", "8", "--versions"]
    arguments += ["1", "--workers", "1", "--device", "cpu", "--band", "100,3900"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    features = load_detector(tmp_path / "weights.safetensors").config.features
    assert (features.f_min, features.f_max) == (100.0, 3900.0)


def test_products_of_bfloat16_learn_alike_and_leave_float32_weights(corpus: Path, tmp_path: Path) -> None:
    found, losses = {}, {}
    for precision in ("float32", "bfloat16"):
        path, _ = _train(corpus, tmp_path / precision, 80, precision=precision)
        found[precision] = load_detector(path).state_dict()
        losses[precision] = [row["loss"] for row in json.loads((tmp_path / precision / "history.json").read_text())]
    half = found["bfloat16"]
    assert {t.dtype for t in half.values() if t.is_floating_point()} == {torch.float32}
    assert not torch.equal(half["network.spoof.weight"], found["float32"]["network.spoof.weight"])
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.03)
    assert losses["bfloat16"][-1] < 0.9 * losses["bfloat16"][0]
    with pytest.raises(ValueError, match="float32 or bfloat16"):
        _train(corpus, tmp_path, 1, precision="float16")


def test_a_run_that_goes_on_with_more_features_fits_their_scaling(corpus: Path, tmp_path: Path) -> None:
    first, _ = _train(corpus, tmp_path / "first", 4)
    more = replace(MODEL, features=replace(MODEL.features, kind="linear+envelope"))
    path, _ = _train(corpus, tmp_path / "more", 2, start=first, rate=0.0, model=more)
    held, kept = load_detector(first).state_dict(), load_detector(path).state_dict()
    assert torch.equal(kept["features.parts.0.mean"], held["features.mean"])
    assert kept["features.parts.1.mean"].all()
    assert load_detector(path).config.features.kind == "linear+envelope"


def test_the_mean_of_trainings_is_calibrated_on_what_it_is_told(corpus: Path, tmp_path: Path) -> None:
    first, _ = _train(corpus, tmp_path / "first", 10)
    both = [_train(corpus, tmp_path / str(seed), 4, seed=seed, start=first)[0] for seed in (2, 3)]
    out, cache = tmp_path / "mean.safetensors", corpus.parent / "cache"
    arguments = ["average", *map(str, both), "--corpus", str(corpus), "--out", str(out), "--cache", str(cache)]
    done = CliRunner().invoke(app, [*arguments, "--channel", "clean", "--channel", "narrow", "--workers", "1"])
    assert done.exit_code == 0, done.output
    one, two, mean = (read_detector(path) for path in (*both, out))
    for name, tensor in mean.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, (one.state_dict()[name] + two.state_dict()[name]) / 2)
    assert mean.config.calibration not in (one.config.calibration, two.config.calibration)
    told = json.loads(describe(out)["training"])
    assert told["calibrated on"]["channels"] == ["clean", "narrow"]
    assert told["mean of"] == [describe(path)["sha256"] for path in both]
    start = describe(first)["sha256"]
    assert set(told["lineage"]) == {start, *told["mean of"]}
    assert [told["lineage"][one]["started from"] for one in told["mean of"]] == [start, start]


def test_speakers_of_the_dev_split_stay_out_unless_they_may_recur(corpus: Path, tmp_path: Path) -> None:
    lines = corpus.read_text().replace("train-speaker0", "dev-speaker0").splitlines()
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    (without,), dev = splits.gather([tmp_path])
    (kept,), same = splits.gather([tmp_path], shared_speakers=True)
    assert dev == same
    assert {c.speaker for c in kept} - {c.speaker for c in without} == {"dev-speaker0"}
    assert len(without) < len(kept)


def test_teachers_are_learned_from(corpus: Path, tmp_path: Path) -> None:
    """Taught by nobody but a network that takes every recording for a fake, a network comes to say so too."""
    first, _ = _train(corpus, tmp_path / "first", 1)
    wrong = read_detector(first)
    with torch.no_grad():
        wrong.network.spoof.weight.zero_()
        wrong.network.spoof.bias.fill_(4.0)
    save_detector(wrong, tmp_path / "wrong.safetensors", {})
    result = {}
    audio = [read_audio(clip.path) for clip in splits.gather([corpus])[1]]
    for name, teachers in (("taught", [tmp_path / "wrong.safetensors"]), ("alone", list[Path]())):
        path, _ = _train(corpus, tmp_path / name, 30, teachers=teachers, loss=LossWeights(teachers=1.0))
        result[name] = np.mean([score.logit for score in score_clips(load_detector(path), audio)])
        if teachers:
            assert json.loads(describe(path)["training"])["taught by"][0]["sha256"]
    assert result["taught"] > 2.0
    assert result["taught"] > result["alone"] + 1.0
