"""Open vocoders: the network's shape, what a damaged spectrogram is, and copies made with both."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from voices import contour, voice

from model.vocoding.vocoders import VocoderError
from training.corpora.clips import CorpusError, load_manifest
from training.vocoding.open_vocoders import fargan, tflite
from training.vocoding.open_vocoders.damage import DAMAGES
from training.vocoding.open_vocoders.hifigan import V2, HifiGan, load, synthesise
from training.vocoding.open_vocoders.mel import LJSPEECH, at_rate, filters, fitted, log_mel
from training.vocoding.open_vocoders.registry import OPEN_VOCODERS, SLOWED_BY, family, open_system, slowed, systems
from training.vocoding.vocode import find_speech, vocode

Array = NDArray[np.float32]


def mel() -> Array:
    return np.asarray(log_mel(at_rate(voice(1.5), 16000, 22050), LJSPEECH), dtype=np.float32)


def published(network: nn.Module) -> dict[str, Tensor]:
    """A network's tensors under torch's old names of weight norm, as they were published."""
    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    named = dict(network.state_dict())
    for new, name in old.items():
        named = {key.replace(new, name): value for key, value in named.items()}
    return named


def weights(folder: Path) -> Path:
    """A generator of HiFi-GAN V2 with random weights, saved under the names of its first publication."""
    torch.manual_seed(0)
    torch.save({"generator": published(HifiGan(V2))}, folder / "generator")
    return folder / "generator"


def test_filters_are_those_of_librosa() -> None:
    wanted = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=0.0, fmax=8000.0)
    np.testing.assert_allclose(filters(LJSPEECH), wanted, atol=1e-6)


def test_a_tone_lies_in_the_band_that_holds_its_frequency() -> None:
    tone = np.sin(2 * np.pi * 1000.0 * np.arange(22050) / 22050).astype(np.float32)
    frames = log_mel(tone, LJSPEECH)
    assert frames.shape == (22050 // 256, 80)
    hz = np.linspace(0, 11025, 513)[np.argmax(filters(LJSPEECH)[int(np.argmax(frames.mean(0)))])]
    assert hz == pytest.approx(1000.0, abs=60.0)
    assert log_mel(np.zeros(9000, np.float32), LJSPEECH).max() == pytest.approx(np.log(1e-5))


@pytest.mark.parametrize("name", DAMAGES)
def test_damages_depend_on_the_seed_alone_and_change_the_spectrogram(name: str) -> None:
    before = mel()
    one, two = (DAMAGES[name](before.copy(), np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.float32
    assert one.shape[1] == 80
    assert np.isfinite(one).all()
    if name == "tempo":
        assert one.shape[0] != before.shape[0]
    else:
        assert one.shape == before.shape
        assert float(np.abs(one - before).mean()) > 0.02


def test_smoothing_takes_detail_away_and_units_leave_few_shapes() -> None:
    before, rng = mel(), np.random.default_rng(1)
    rough = [float(np.abs(np.diff(x, axis=0)).mean()) for x in (before, DAMAGES["smooth"](before, rng))]
    assert rough[1] < 0.7 * rough[0]
    shapes = DAMAGES["units"](before, np.random.default_rng(0))
    level = shapes - shapes.mean(axis=1, keepdims=True)
    assert np.linalg.matrix_rank(level, tol=1e-2) < np.linalg.matrix_rank(before, tol=1e-2)


def test_generator_makes_a_hop_of_samples_for_each_frame_and_survives_the_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    fresh = HifiGan(V2).eval()
    frames = mel()[:12]
    y = synthesise(load(weights(tmp_path)), frames)
    assert y.shape == (12 * 256,)
    np.testing.assert_allclose(y, synthesise(fresh, frames), atol=1e-6)


def test_what_holds_no_generator_is_refused(tmp_path: Path) -> None:
    torch.save({"generator": {"conv_pre.bias": torch.zeros(3)}}, tmp_path / "other")
    for path in (tmp_path / "other", tmp_path / "missing"):
        with pytest.raises(CorpusError, match="no HiFi-GAN generator"):
            load(path)


def test_systems_are_those_that_there_are_weights_for() -> None:
    assert "mel-griffin-lim+units" in systems({})
    assert not any(s.startswith("hifigan") for s in systems({}))
    assert {"hifigan-v2", "hifigan-v2+voice"} <= set(systems({"hifigan-v2"}))
    assert "lyra-v2" not in systems(set(OPEN_VOCODERS))
    assert family("hifigan-v2") == "gan-vocoder"
    assert family("hifigan-v2+units") == "neural-codec"
    with pytest.raises(CorpusError, match="no weights for the vocoder hifigan-v2"):
        open_system("hifigan-v2+units", {})


def test_griffin_lim_from_a_damaged_spectrogram_keeps_the_words() -> None:
    x = voice(1.5)
    for system in ("mel-griffin-lim", "mel-griffin-lim+smooth"):
        y = open_system(system, {})(x, 5)
        assert y.shape == x.shape
        match = float(contour(y) @ contour(x) / np.linalg.norm(contour(y)) / np.linalg.norm(contour(x)))
        assert match > 0.7
    longer = open_system("mel-griffin-lim+tempo", {})(x, 5)
    assert longer.shape != x.shape


def test_a_slowed_vocoder_works_as_one_of_a_lower_rate_would() -> None:
    """A tone of the vocoder's own, which lies at 2 kHz in plain copies, lies at 2.1 to 2.74 kHz in slowed ones."""
    x = voice(1.5)
    seconds = np.arange(4 * len(x)) / 16000

    def vocoder(heard: Array, seed: int) -> Array:
        del seed
        return heard + np.float32(0.3) * np.sin(2 * np.pi * 2000 * seconds[: len(heard)]).astype(np.float32)

    tones = []
    for seed in range(6):
        y = slowed(vocoder)(x, seed)
        assert y.shape == x.shape
        excess = np.abs(np.fft.rfft(y / np.abs(y).max())) - np.abs(np.fft.rfft(x / np.abs(x).max()))
        tones.append(int(np.argmax(excess)) * 16000 / len(x))
    assert all(2000 * low <= tone <= 2000 * high for tone in tones for low, high in [SLOWED_BY])
    assert np.ptp(tones) > 100
    assert "hifigan-v2+slowed" in systems({"hifigan-v2"})
    assert family("hifigan-v2+slowed") == "gan-vocoder"
    assert "lyra-v2+slowed" not in systems({"lyra-v2"})


def test_vocode_with_open_weights(tmp_path: Path) -> None:
    (tmp_path / "in" / "anna").mkdir(parents=True)
    soundfile.write(tmp_path / "in" / "anna" / "one.wav", voice(0.6), 16000)
    chosen = ["hifigan-v2", "hifigan-v2+units", "lpc"]
    held = {"hifigan-v2": weights(tmp_path)}
    manifest = vocode(find_speech(tmp_path / "in"), tmp_path / "out", chosen, lambda *_: None, weights=held)
    made = {c.system: c for c in load_manifest(manifest)}
    assert {name: c.family for name, c in made.items()} == {
        "bonafide": "bonafide",
        "hifigan-v2": "gan-vocoder",
        "hifigan-v2+units": "neural-codec",
        "lpc": "signal-vocoder",
    }
    plain, units = (soundfile.read(made[s].path)[0] for s in chosen[:2])
    assert len(plain) == 9600
    assert float(np.abs(plain - units).max()) > 0.001


def test_a_missing_package_and_a_wrong_file_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(VocoderError, match="pip install ai-edge-litert"):
        tflite.interpreter(tmp_path / "network.tflite")


def test_fitted_cuts_and_fills() -> None:
    assert fitted(np.ones(3, np.float32), 5).tolist() == [1, 1, 1, 0, 0]
    assert fitted(np.ones(3, np.float32), 2).tolist() == [1, 1]


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_features_of_fargan_keep_their_pitch_and_change_their_spectrum(name: str) -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(0.0, 0.3, (200, fargan.FEATURES)).astype(np.float32)
    before[:, 0] += 10.0
    after = fargan.damaged(before, name, np.random.default_rng(4))
    assert after.dtype == np.float32
    assert after.shape[1] == fargan.FEATURES
    if name == "tempo":
        assert after.shape[0] != before.shape[0]
        return
    assert not np.allclose(after[:, : fargan.CEPSTRA], before[:, : fargan.CEPSTRA])
    moved = after[:, fargan.PITCH] - before[:, fargan.PITCH]
    assert float(np.ptp(moved)) < 1e-5
    assert (float(np.abs(moved).max()) > 1e-3) == (name == "voice")


def test_bands_of_fargan_that_no_damage_touches_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = np.random.default_rng(0).normal(0.0, 1.0, (50, fargan.FEATURES)).astype(np.float32)
    monkeypatch.setitem(DAMAGES, "nothing", lambda bands, _: bands)
    np.testing.assert_allclose(fargan.damaged(before, "nothing", np.random.default_rng(0)), before, atol=1e-5)


def test_a_program_that_is_no_fargan_is_refused(tmp_path: Path) -> None:
    fails = tmp_path / "fails"
    fails.write_text("#!/bin/sh\nexit 1\n")
    fails.chmod(0o755)
    for program in (fails, tmp_path / "missing"):
        with pytest.raises(CorpusError, match="no fargan_demo that runs here"):
            open_system("fargan+smooth", {"fargan": program})(voice(0.3), 1)
