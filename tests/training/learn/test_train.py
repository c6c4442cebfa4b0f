"""The sampler, the augmentation, the loss, and whole training runs on a corpus of synthetic sounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from model.checkpoint import describe, load_detector, read_detector, save_detector
from model.config import BLOCK, FAMILIES, DetectorConfig, FeatureConfig, NetworkConfig
from model.network import NetworkOutput
from training.channels import speech_codecs
from training.channels.augment import AugmentConfig, a_law, augment, mask_features, mu_law, telephone
from training.cli.main import app
from training.corpora import splits
from training.corpora.bank import AudioBank, read_audio
from training.corpora.clips import Clip
from training.evaluate.scoring import score_clips
from training.learn import material, prepare
from training.learn.losses import LossWeights, training_loss
from training.learn.prepare import TrainingPlan
from training.learn.sampler import NO_LABEL, CallSampler, SamplingWeights, TrainingBatch, speech_cells
from training.learn.settings import TrainConfig

CPU = torch.device("cpu")
STEP, OTHER = 200, 30_000
EVERYTHING = AugmentConfig(filter=1, band_limit=1, room=1, noise=1, clip=1, mu_law=1)


def _clips() -> list[Clip]:
    """Six sentences: a recording and a copy by one of two systems."""
    clips = []
    for i in range(6):
        family = FAMILIES[3 * (i % 2)]
        clips.append(Clip(Path(f"{i}.wav"), 0, "bonafide", "bonafide", f"s{i}", f"p{i}", part="a"))
        clips.append(Clip(Path(f"{i}_gen.wav"), 1, family, f"system{i % 2}", f"s{i}", f"p{i}", part="a"))
    return clips


def _sampler(marks: str, seed: int = 0, weights: SamplingWeights = SamplingWeights({})) -> CallSampler:  # noqa: B008
    """A sampler whose samples tell where they come from. marks "clip": STEP * (clip + 1) + version. marks "place":
    place within the clip, counted in blocks, plus 1000 * version. Other sounds are OTHER.
    """
    clips, n = _clips(), 100 * BLOCK
    bounds = np.arange(len(clips) + 1) * n
    first = np.repeat(STEP * (np.arange(len(clips)) + 1), n)
    if marks == "place":
        first = np.tile(np.arange(n) // BLOCK + 1, len(clips))
    versions = np.stack([first, first + (1 if marks == "clip" else 1000)]).astype(np.int16)
    others = np.full(200 * BLOCK, OTHER, dtype=np.int16)
    bank = AudioBank(clips, versions[0], bounds)
    return CallSampler(bank, versions, others, FAMILIES, weights, CPU, seed)


def _marks(batch: TrainingBatch) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """The middle sample of each block (N, T) as the integer that it was."""
    blocks = batch.audio.reshape(batch.audio.shape[0], -1, BLOCK)[:, :, BLOCK // 2]
    return np.asarray((blocks * 32768.0).round().to(torch.int64).numpy())


def test_labels_families_and_speech_line_up_with_the_audio() -> None:
    sampler = _sampler("clip")
    for _ in range(5):
        batch = sampler.draw(8, 12.0)
        marks, label = _marks(batch), batch.label.numpy()
        inside = label != NO_LABEL
        np.testing.assert_array_equal(inside, (marks != 0) & (marks != OTHER))
        clip = marks[inside] // STEP - 1
        np.testing.assert_array_equal(label[inside], sampler.label_of[clip])
        np.testing.assert_array_equal(batch.family.numpy()[inside], sampler.family_of[clip])
        np.testing.assert_array_equal(batch.speech.numpy(), inside)
        assert set(label[inside].tolist()) == {0, 1}


def test_pauses_and_other_sounds_carry_no_label() -> None:
    batch = _sampler("clip", weights=SamplingWeights({}, other_sounds=0.4)).draw(16, 12.0)
    marks = _marks(batch)
    for outside in (marks == 0, marks == OTHER):
        assert outside.any()
        for labels in (batch.label, batch.family, batch.piece):
            assert (labels.numpy()[outside] == NO_LABEL).all()
        assert not batch.speech.numpy()[outside].any()


def test_twins_are_a_recording_and_a_fake_in_the_same_place_and_channel() -> None:
    sampler = _sampler("clip")
    for _ in range(5):
        batch = sampler.draw(8, 12.0)
        assert batch.pair.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
        marks, label = _marks(batch), batch.label.numpy()
        for top in range(0, 8, 2):
            inside = label[top] != NO_LABEL
            np.testing.assert_array_equal(label[top + 1] != NO_LABEL, inside)
            np.testing.assert_array_equal(label[top][inside] + label[top + 1][inside], 1)
            np.testing.assert_array_equal(batch.piece[top], batch.piece[top + 1])
            np.testing.assert_array_equal(marks[top][inside] % STEP, marks[top + 1][inside] % STEP)


def test_twins_are_called_aligned_where_they_are_of_one_sentence() -> None:
    sampler, shares = _sampler("clip"), []
    for _ in range(5):
        batch = sampler.draw(8, 12.0)
        sentence, inside = (_marks(batch) // STEP - 1) // 2, batch.label.numpy() != NO_LABEL
        for top in range(0, 8, 2):
            same = (sentence[top] == sentence[top + 1]) & inside[top]
            np.testing.assert_array_equal(batch.aligned[top], same)
            np.testing.assert_array_equal(batch.aligned[top + 1], same)
            shares.append(same.sum() / inside[top].sum())
    assert 0.5 < np.mean(shares) < 0.95


def test_twins_are_at_the_same_place_of_their_sentences_which_goes_on_steadily() -> None:
    batch = _sampler("place", weights=SamplingWeights({}, other_sounds=0.0)).draw(8, 12.0)
    marks, piece = _marks(batch), batch.piece.numpy()
    for top in range(0, 8, 2):
        np.testing.assert_array_equal(marks[top], marks[top + 1])
    same = piece[:, 1:] == piece[:, :-1]
    inside = same & (piece[:, 1:] != NO_LABEL)
    np.testing.assert_array_equal(np.diff(marks, axis=1)[inside], 1)


def test_every_channel_version_is_used_or_none() -> None:
    drawn = _marks(_sampler("clip").draw(16, 12.0))
    assert {0, 1} <= set((drawn[(drawn != 0) & (drawn != OTHER)] % STEP).tolist())
    clean = _marks(_sampler("clip", weights=SamplingWeights({}, through_channel=0.0)).draw(16, 12.0))
    assert set((clean[(clean != 0) & (clean != OTHER)] % STEP).tolist()) == {0}


def test_the_seed_alone_decides_what_is_drawn() -> None:
    one, same, other = (_sampler("clip", seed).draw(8, 6.0) for seed in (3, 3, 4))
    assert torch.equal(one.audio, same.audio)
    assert torch.equal(one.label, same.label)
    assert not torch.equal(one.audio, other.audio)


def test_weak_cells_are_not_speech() -> None:
    loud, faint = np.full(3200, 8000, np.int16), np.full(3200, 40, np.int16)
    cells = speech_cells(np.concatenate([loud, faint, loud]), np.array([0, 9600]))
    assert cells.tolist() == [True] * 20 + [False] * 20 + [True] * 20 + [False]


@pytest.mark.parametrize("config", [EVERYTHING, AugmentConfig()])
def test_rows_of_a_pair_are_treated_alike_and_pairs_differ(config: AugmentConfig) -> None:
    torch.manual_seed(1)
    one = 0.1 * torch.randn(1, 16_000)
    treated = augment(one.expand(8, -1), torch.arange(8) // 2, config)
    for top in range(0, 8, 2):
        assert float((treated[top] - treated[top + 1]).abs().max()) < 3e-4
        assert float((treated[top] - treated[top - 1]).abs().max()) > 1e-2


@pytest.mark.parametrize(("law", "quantise"), [("mu", mu_law), ("a", a_law)])
def test_the_companding_of_the_augmentation_is_as_fine_as_g711(law: str, quantise: Callable[[Tensor], Tensor]) -> None:
    """Against FFmpeg's codec: the errors are of one size, at a low level and at a high one."""
    rng = np.random.default_rng(0)
    for level in (0.01, 0.3):
        x = (level * rng.uniform(-1.0, 1.0, 16_000)).astype(np.float32)
        ours, theirs = quantise(torch.from_numpy(x)).numpy() - x, speech_codecs.g711(x, law) - x
        assert np.sqrt(np.mean(ours**2)) == pytest.approx(np.sqrt(np.mean(theirs**2)), rel=0.35)


def test_the_telephone_of_the_augmentation_has_its_band_and_treats_a_pair_alike() -> None:
    t = torch.arange(32_000) / 16_000
    x = sum(0.1 * torch.sin(2 * torch.pi * hz * t) for hz in (100.0, 1000.0, 6000.0))
    rows = torch.cat([telephone(torch.as_tensor(x).repeat(32, 1), torch.arange(32) // 2) for _ in range(2)])
    size = torch.fft.rfft(rows).abs()[:, [200, 2000, 12_000]] / 16_000
    assert torch.equal(rows[0::2], rows[1::2])
    torch.testing.assert_close(size[:, 1], torch.full((64,), 0.1), atol=0.003, rtol=0)
    assert float(size[:, 2].max()) < 1e-4
    filtered = size[:, 0] < 0.01
    assert 8 < int(filtered.sum()) < 56, "half of them have the filters of the telephone"
    torch.testing.assert_close(size[~filtered, 0], torch.full((int((~filtered).sum()),), 0.1), atol=0.003, rtol=0)


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


def test_augmented_audio_is_finite_bounded_and_within_its_levels() -> None:
    torch.manual_seed(2)
    hard = torch.stack([torch.zeros(16_000), torch.ones(16_000), torch.randn(16_000), 1e-6 * torch.randn(16_000)])
    hard[0, 5] = 1.0
    for _ in range(5):
        treated = augment(hard, torch.arange(4), EVERYTHING)
        assert bool(torch.isfinite(treated).all())
        assert float(treated.abs().max()) <= 1.0
    speech = 0.1 * torch.randn(64, 16_000)
    quiet = AugmentConfig(clip=0.0, level_dbfs=(-40.0, -20.0))
    level = 20 * torch.log10(augment(speech, torch.arange(64), quiet).square().mean(1).sqrt())
    assert float(level.min()) > -48.0
    assert float(level.max()) < -12.0


def test_strength_zero_leaves_level_changes_alone() -> None:
    torch.manual_seed(3)
    none = AugmentConfig().scaled(0.0)
    assert (none.filter, none.band_limit, none.room, none.noise, none.clip, none.mu_law) == (0,) * 6
    assert AugmentConfig().scaled(1.0) == AugmentConfig()
    x = 0.05 * torch.randn(2, 4000)
    treated = augment(x, torch.arange(2), none)
    for a, b in zip(x.reshape(8, -1), treated.reshape(8, -1), strict=True):
        assert float(torch.corrcoef(torch.stack([a, b]))[0, 1]) > 0.99


def test_masks_hide_stretches_and_bands_and_nothing_else() -> None:
    torch.manual_seed(4)
    x = torch.ones(4, 200, 40)
    masked = mask_features(x, AugmentConfig())
    assert set(masked.unique().tolist()) == {0.0, 1.0}
    assert float(masked.mean()) > 0.4
    assert torch.equal(mask_features(x, AugmentConfig(time_masks=0, band_masks=0)), x)


def _output(batch: TrainingBatch, sure: float) -> NetworkOutput:
    """What a network would say that is right, `sure` nats strong."""
    truth = (2.0 * batch.label.clamp(min=0) - 1.0) * sure
    family = sure * torch.nn.functional.one_hot(batch.family.clamp(min=0), len(FAMILIES)).float()
    speech = (2.0 * batch.speech.float() - 1.0) * sure
    return NetworkOutput(truth, family, speech, batch.speech, torch.zeros(*truth.shape, 1))


def test_loss_rewards_the_truth() -> None:
    batch = _sampler("clip").draw(8, 8.0)
    losses = [float(training_loss(_output(batch, sure), batch, LossWeights())[0]) for sure in (-3.0, 0.0, 3.0)]
    assert losses[0] > losses[1] > losses[2]
    _, parts = training_loss(_output(batch, 0.0), batch, LossWeights())
    for name, chance in {"frame": 2, "evidence": 2, "speech": 2, "family": len(FAMILIES)}.items():
        assert float(parts[name]) == pytest.approx(np.log(chance), abs=1e-4)


def test_loss_does_not_hear_what_has_no_label() -> None:
    batch = _sampler("clip").draw(8, 8.0)
    out = _output(batch, 1.0)
    outside = batch.label == NO_LABEL
    other = NetworkOutput(
        out.spoof + 9.0 * outside, out.family + 5.0 * outside[..., None], out.speech, out.active, out.embedding
    )
    assert torch.equal(training_loss(other, batch, LossWeights())[0], training_loss(out, batch, LossWeights())[0])


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_training")]


MODEL = DetectorConfig(
    features=FeatureConfig(n_filters=24),
    network=NetworkConfig("lstm", embedding=16, hidden=16, dropout=0.0),
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
) -> tuple[Path, list[str]]:
    config = TrainConfig(
        steps=steps, minutes=1e9, rows=8, seconds=2.0, learning_rate=rate, warm_up=5, validate_every=10, seed=seed,
        precision=precision, loss=loss or LossWeights(),
    )  # fmt: skip
    result: list[str] = []
    plan = TrainingPlan([corpus], out, corpus.parent / "cache", {}, versions=2, workers=1, device="cpu", start=start)
    plan = replace(plan, teachers=teachers)
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


def test_a_family_of_more_weight_is_drawn_more_often_and_its_part_no_more() -> None:
    drawn = _sampler("clip", weights=SamplingWeights({}, {FAMILIES[3]: 3.0}))
    p = np.diff(drawn.spoof_cdf, prepend=0.0)
    heavy = np.array([drawn.clips[i].family == FAMILIES[3] for i in drawn.spoof_ids])
    assert p.sum() == pytest.approx(1.0)
    assert p[heavy].sum() == pytest.approx(0.75)
