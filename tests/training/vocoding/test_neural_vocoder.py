"""The vocoder that is trained here: its spectra and source, seconds of training, and copies made with the weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from tiny_corpus import make_corpus
from typer.testing import CliRunner
from voices import contour, voice

from model.checkpoint import describe, save_detector
from model.config import DetectorConfig
from model.stream import Detector
from model.vocoding.spectra import mel_filters, minimum_phase
from training.cli.main import app
from training.corpora.bank import build_bank
from training.corpora.clips import Clip, CorpusError, load_manifest
from training.vocoding.neural_vocoder import pitch_network, source_spectra
from training.vocoding.neural_vocoder.discriminator import Discriminators, deception_loss, verdict_loss
from training.vocoding.neural_vocoder.generator import NeuralVocoder, synthesise
from training.vocoding.neural_vocoder.measure import log_mel_distance
from training.vocoding.neural_vocoder.segment_sampler import SegmentSampler
from training.vocoding.neural_vocoder.vocoder_config import MEL, VocoderConfig, VocoderTrainConfig
from training.vocoding.neural_vocoder.vocoder_plan import real_speech
from training.vocoding.neural_vocoder.vocoder_trainer import VocoderTrainer, train
from training.vocoding.neural_vocoder.weights import load_generator, save_generator
from training.vocoding.open_vocoders.mel import log_mel
from training.vocoding.open_vocoders.registry import family, open_system

pytestmark = pytest.mark.slow

SMALL = VocoderConfig(width=24, hidden=48, blocks=2, pitch_width=24)
CPU = torch.device("cpu")


def trainer(corpus: Path, steps: int, sampler_seed: int = 1) -> VocoderTrainer:
    """A small vocoder's, that learns fast; the discriminators join after four steps."""
    learned, _ = real_speech([corpus])
    bank = build_bank(learned, corpus.parent / "cache", 1, lambda *_: None)
    config = VocoderTrainConfig(
        steps=steps, minutes=1e6, rows=4, frames=32, learning_rate=5e-3, warm_up=4 / steps, report_every=4
    )
    return VocoderTrainer(SMALL, config, SegmentSampler(bank, config.frames, sampler_seed), CPU)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("speech"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocoder that has learned nothing: its source and the mel envelope alone."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_generator(NeuralVocoder(SMALL), path, {"corpora": ["made here"]})
    return path


def test_spectra_are_those_of_the_open_vocoders_and_come_back() -> None:
    x = voice(1.0)
    batch = torch.from_numpy(x)[None]
    np.testing.assert_allclose(source_spectra.log_mel(batch)[0], log_mel(x, MEL), atol=2e-3)
    np.testing.assert_allclose(source_spectra.istft(source_spectra.stft(batch))[0], x, atol=1e-4)


def test_the_envelope_of_flat_bands_is_flat_and_its_phase_is_minimum() -> None:
    flat = source_spectra.mel_bank(CPU).sum(1).log() + 0.7
    made = source_spectra.envelope(flat.expand(1, 3, -1))
    np.testing.assert_allclose(made.abs().log(), np.full((1, 3, 401), 0.7), atol=1e-4)
    rough = np.exp(mel_filters(800, 5, 0.0, 8000.0).sum(0, keepdims=True))
    again = source_spectra.minimum_phase(torch.from_numpy(np.log(rough)))
    np.testing.assert_allclose(again, minimum_phase(rough), atol=1e-4)


def test_pulses_lie_at_the_harmonics_and_rest_where_nothing_is_voiced() -> None:
    f0 = torch.full((1, 80), 200.0)
    f0[:, 40:] = 0.0
    x = source_spectra.pulses(f0, torch.tensor([0.3]))[0]
    assert not x[42 * MEL.hop :].any()
    power = np.abs(np.fft.rfft(x[:4000].numpy() * np.hanning(4000)))
    peaks, valleys = power[50::50][:38], power[25::50][:38]
    assert peaks.min() > 0.5 * peaks.max()
    assert valleys.max() < 0.01 * peaks.min()
    assert power[50 * 40 :].max() < 0.01 * peaks.min()


def test_pitch_classes_say_the_frequency_that_they_were_taught() -> None:
    f0 = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 80.0, 81.0, 83.0, 221.0, 222.0, 223.0, 224.0, 480.0, 480.0, 480.0]])
    logits = torch.zeros(1, pitch_network.CLASSES + 1, f0.shape[1], requires_grad=True)
    optimiser = torch.optim.Adam([logits], 1.0)
    for _ in range(40):
        optimiser.zero_grad()
        loss = pitch_network.pitch_loss(logits, f0)
        loss.backward()
        optimiser.step()
    heard = pitch_network.hz_of(logits.detach())[0]
    assert not heard[:3].any()
    np.testing.assert_allclose(heard[9:12], f0[0, 9:12], rtol=0.01)
    np.testing.assert_allclose(heard[13:], f0[0, 13:], rtol=0.01)


def test_the_pitch_that_is_taught_stands_at_the_centres_of_the_frames() -> None:
    x = voice(1.2, 150.0)
    f0 = pitch_network.pitch_of(x)
    assert f0.shape == (len(x) // MEL.hop,)
    assert float(np.median(f0[f0 > 0])) == pytest.approx(150.0, rel=0.12)


def test_discriminators_learn_to_tell_noise_from_a_voice() -> None:
    torch.manual_seed(0)
    real = torch.from_numpy(np.stack([voice(0.5, hz) for hz in (100.0, 180.0)]))
    made = 0.1 * torch.randn_like(real)
    judges = Discriminators()
    optimiser = torch.optim.Adam(judges.parameters(), 2e-3)
    before = float(deception_loss(judges(made)).detach())
    for _ in range(20):
        optimiser.zero_grad()
        loss = verdict_loss(judges(real), judges(made))
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.25
    assert float(deception_loss(judges(made)).detach()) > min(before, 0.6)


def test_only_bona_fide_clips_of_the_train_split_are_heard(corpus: Path) -> None:
    learned, held = real_speech([corpus])
    assert {(c.label, c.split) for c in (*learned, *held)} == {(0, "train")}
    assert not {c.speaker for c in learned} & {c.speaker for c in held} or len(held) == 1
    dev = {c.speaker for c in load_manifest(corpus) if c.split == "dev"}
    assert not {c.speaker for c in learned} & dev


def test_a_corpus_without_real_speech_or_with_none_long_enough_is_refused(corpus: Path, tmp_path: Path) -> None:
    lines = [line for line in corpus.read_text().splitlines() if "bonafide,bonafide" not in line]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    with pytest.raises(CorpusError, match="none of these clips is bona fide"):
        real_speech([tmp_path])
    soundfile.write(tmp_path / "short.wav", voice(0.2), 16000)
    short = build_bank([Clip(tmp_path / "short.wav", 0, "", "", "")], tmp_path / "cache", 1, lambda *_: None)
    with pytest.raises(CorpusError, match=r"no clip is longer than 0\.80 s"):
        SegmentSampler(short, 64, 0)


def test_the_loss_falls(corpus: Path) -> None:
    learner = trainer(corpus, 10_000)
    losses = [float(learner.step()["mel"]) for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_a_stopped_training_goes_on_bit_for_bit(corpus: Path, tmp_path: Path) -> None:
    speech = [voice(0.5)]
    whole = train(trainer(corpus, 8), speech, tmp_path / "whole", {}, lambda _: None)
    halves = trainer(corpus, 8)
    for _ in range(6):
        halves.step()
    (tmp_path / "halves").mkdir()
    halves.save(tmp_path / "halves" / "checkpoint.pt")
    torch.manual_seed(99)
    said: list[str] = []
    again = train(trainer(corpus, 8, sampler_seed=7), speech, tmp_path / "halves", {}, said.append)
    assert said[0] == "resumed at step 6"
    one, two = (load_generator(path).state_dict() for path in (whole, again))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert "adversary" in json.loads((tmp_path / "halves" / "history.json").read_text())[-1]


def test_the_command_trains_and_its_weights_make_copies(corpus: Path, tmp_path: Path) -> None:
    run = ["vocoder", "--corpus", str(corpus), "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    small = ["--steps", "2", "--rows", "2", "--warm-up", "0.5", "--workers", "1", "--device", "cpu"]
    result = CliRunner().invoke(app, [*run, *small], catch_exceptions=False)
    assert result.exit_code == 0
    assert "on speakers not heard: log_mel_db" in result.output
    weights = tmp_path / "run" / "weights.safetensors"
    learned = json.loads(describe(weights)["training"])
    assert learned["steps"] == 2
    assert learned["log_mel_db"] > 0
    copies = ["vocode", str(corpus), "--split", "dev", "--out", str(tmp_path / "out"), "--per-clip", "1"]
    chosen = ["--system", "neural-istft", "--weights", f"neural-istft={weights}", "--workers", "1"]
    result = CliRunner().invoke(app, [*copies, *chosen], catch_exceptions=False)
    assert result.exit_code == 0
    made = [c for c in load_manifest(tmp_path / "out" / "manifest.csv") if c.label]
    assert len(made) == 12
    assert {(c.system, c.family) for c in made} == {("neural-istft", "gan-vocoder")}


@pytest.mark.parametrize("variant", ["", "+smooth", "+units", "+voice", "+tempo"])
def test_copies_have_the_words_the_length_and_the_level(weights: Path, variant: str) -> None:
    x = voice(1.5)
    y = open_system(f"neural-istft{variant}", {"neural-istft": weights})(x, 5)
    assert y.dtype == np.float32
    assert np.isfinite(y).all()
    assert float(np.sqrt(np.mean(y**2)) / np.sqrt(np.mean(x**2))) == pytest.approx(1.0, abs=0.1)
    if variant != "+tempo":
        assert y.shape == x.shape
        assert _place(y, x) <= 6
    assert family(f"neural-istft{variant}") == {"+units": "neural-codec"}.get(variant, family(f"hifigan-v2{variant}"))


def _place(y: NDArray[np.float32], x: NDArray[np.float32]) -> int:
    """By how many milliseconds the loudness of y is off."""
    return abs(int(np.argmax(np.correlate(contour(y), contour(x), "full"))) - len(contour(x)) + 1)


def test_copies_depend_on_the_recording_alone_and_silence_stays_silence(weights: Path) -> None:
    vocoder = open_system("neural-istft", {"neural-istft": weights})
    np.testing.assert_array_equal(vocoder(voice(0.5), 1), vocoder(voice(0.5), 2))
    assert not vocoder(np.zeros(8000, dtype=np.float32), 0).any()
    assert vocoder(voice(1.0)[:500], 0).shape == (500,)


def test_frames_make_a_hop_of_samples_each(weights: Path) -> None:
    assert synthesise(load_generator(weights), log_mel(voice(0.4), MEL)).shape == (32 * MEL.hop,)


def test_what_is_no_vocoder_is_refused(weights: Path, tmp_path: Path) -> None:
    save_detector(Detector(DetectorConfig()), tmp_path / "detector.safetensors", {})
    (tmp_path / "broken.safetensors").write_bytes(weights.read_bytes()[:-9])
    for name, reason in (("detector", "holds no weights"), ("broken", "not a whole"), ("missing", "there is no")):
        with pytest.raises(CorpusError, match=reason):
            load_generator(tmp_path / f"{name}.safetensors")


def test_another_kind_ends_with_one_line() -> None:
    with pytest.raises(ValueError, match="no vocoder of the kind 'wavenet'; there are istft-gan"):
        VocoderConfig.from_dict({"kind": "wavenet"})


def test_distance_is_nought_for_the_recording_at_any_level_and_large_for_noise() -> None:
    x = voice(0.8)
    assert log_mel_distance(0.3 * x, x) == pytest.approx(0.0, abs=1e-3)
    noise = np.random.default_rng(0).standard_normal(len(x)).astype(np.float32)
    assert log_mel_distance(noise, x) > 10.0


@pytest.mark.parametrize("gain", [0.02, 0.2, 4.0])
def test_distance_is_the_same_whatever_the_level_of_the_recording(gain: float) -> None:
    x = 0.1 * voice(0.8)
    noisy = x + 0.003 * np.random.default_rng(0).standard_normal(len(x)).astype(np.float32)
    assert log_mel_distance(gain * noisy, gain * x) == pytest.approx(log_mel_distance(noisy, x), rel=0.01)
