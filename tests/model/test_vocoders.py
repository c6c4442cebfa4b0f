"""Every vocoder keeps length, place and level of the speech, and changes its waveform."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal
from voices import contour, voice

from model.vocoding.pitch import pitch_track
from model.vocoding.source_filter import lpc_envelope, mel_envelope
from model.vocoding.spectra import invert_mel, istft, mel_filters, minimum_phase, stft
from model.vocoding.vocoders import VOCODERS, VocoderError, griffin_lim, lpc_vocoder, world_vocoder
from training.corpora.clips import Clip, CorpusError, load_manifest
from training.vocoding.vocode import find_speech, vocode

pytestmark = pytest.mark.slow

WORLD = all(importlib.util.find_spec(name) for name in ("pyworld", "pkg_resources"))
NAMES = [name for name in VOCODERS if WORLD or not name.startswith("world")]


@pytest.mark.parametrize("name", NAMES)
def test_same_length_place_and_level(name: str) -> None:
    x = voice()
    y = VOCODERS[name](x, 3)
    assert y.shape == x.shape
    assert y.dtype == np.float32
    assert np.isfinite(y).all()
    rms = float(np.sqrt(np.mean(y**2)) / np.sqrt(np.mean(x**2)))
    assert 0.8 < rms < 1.01
    match = np.correlate(contour(y), contour(x), "full")
    assert abs(int(np.argmax(match)) - len(contour(x)) + 1) <= 6
    assert float(match.max()) > 0.7 * float(np.linalg.norm(contour(x)) * np.linalg.norm(contour(y)))
    assert float(np.abs(y - x).max()) > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_voice(name: str) -> None:
    x = voice(0.5)
    np.testing.assert_array_equal(VOCODERS[name](x, 7), VOCODERS[name](x, 7))


@pytest.mark.parametrize("name", NAMES)
def test_silence_stays_silence(name: str) -> None:
    assert not VOCODERS[name](np.zeros(8000, dtype=np.float32), 0).any()


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_changed_pitch_is_heard(factor: float) -> None:
    x = voice(hz=150.0)
    before, after = (pitch_track(v, 80)[0] for v in (x, lpc_vocoder(x, 0, pitch=factor)))
    both = (before > 0) & (after > 0)
    assert both.mean() > 0.3
    assert float(np.median(after[both] / before[both])) == pytest.approx(factor, rel=0.05)


def test_pitch_of_a_known_voice_and_of_noise() -> None:
    f0, strength = pitch_track(voice(hz=220.0), 80)
    assert float(np.median(f0[f0 > 0])) == pytest.approx(220.0, rel=0.1)
    assert (f0 > 0).mean() > 0.4
    noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    assert (pitch_track(noise, 80)[0] > 0).mean() < 0.1
    assert strength.min() >= 0.0
    assert strength.max() <= 1.0


def test_istft_undoes_stft() -> None:
    x = voice(0.7)
    np.testing.assert_allclose(istft(stft(x, 512, 128), 128, len(x)), x, atol=1e-5)


def test_mel_inversion_gives_the_bands_back() -> None:
    filters = mel_filters(1024, 80, 0.0, 8000.0)
    mel = np.abs(stft(voice(0.5), 1024, 256)) @ filters.T
    again = invert_mel(mel, filters) @ filters.T
    assert float(np.abs(again - mel).mean() / mel.mean()) < 0.05


@pytest.mark.parametrize("envelope", [lpc_envelope, mel_envelope])
def test_envelopes_peak_at_the_formants(envelope: object) -> None:
    assert callable(envelope)
    shape = envelope(voice(hz=100.0))
    mean = np.log(shape[shape.sum(1) > np.median(shape.sum(1))] + 1e-6).mean(0)
    hz = np.arange(513) * 16000 / 1024
    for formant in (600.0, 1300.0):
        near, beside = np.abs(hz - formant) < 100, np.abs(np.abs(hz - formant) - 320) < 60
        assert mean[near].max() > mean[beside].mean() + 0.5


def test_minimum_phase_keeps_the_magnitude() -> None:
    shape = np.exp(np.random.default_rng(0).standard_normal((3, 9))).repeat(16, axis=1)[:, :129]
    smooth = signal.fftconvolve(shape, np.ones((1, 9)) / 9, "same", axes=1)
    np.testing.assert_allclose(np.abs(minimum_phase(smooth)), smooth, rtol=1e-3)


def test_more_iterations_come_nearer_to_the_spectrogram() -> None:
    x = voice(1.0)
    wanted = np.abs(stft(x, 1024, 256))

    def distance(iterations: int) -> float:
        y = griffin_lim(x, 0, n_mels=0, iterations=iterations)
        return float(np.linalg.norm(np.abs(stft(y, 1024, 256)) - wanted))

    assert distance(30) < 0.6 * distance(1)


@pytest.mark.skipif(WORLD, reason="pyworld is installed")
def test_world_says_what_to_install() -> None:
    with pytest.raises(VocoderError, match="pip install pyworld"):
        world_vocoder(voice(0.2), 0)


def _speech(folder: Path) -> list[Clip]:
    for speaker, hz in (("anna", 210.0), ("ben", 110.0)):
        (folder / speaker).mkdir(parents=True)
        soundfile.write(folder / speaker / "one.wav", voice(0.6, hz), 16000)
    return find_speech(folder)


def test_vocode_writes_pairs_that_a_manifest_lists(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    clips = _speech(tmp_path / "in")
    manifest = vocode(clips, tmp_path / "out", ["lpc", "phase-vocoder"], lambda *c: calls.append(c))
    made = load_manifest(manifest)
    assert calls[-1] == (6, 6)
    assert sorted((c.speaker, c.system, c.label) for c in made) == sorted(
        (s, v, int(v != "bonafide")) for s in ("anna", "ben") for v in ("bonafide", "lpc", "phase-vocoder")
    )
    assert {c.family for c in made if c.label} == {"signal-vocoder"}
    assert len({c.pair for c in made}) == 2
    for clip in made:
        x, rate = soundfile.read(clip.path)
        assert (rate, len(x)) == (16000, 9600)
        assert np.abs(x).max() == pytest.approx(0.12, abs=0.001)


def test_vocode_goes_on_where_it_ended(tmp_path: Path) -> None:
    clips = _speech(tmp_path / "in")
    first = vocode(clips, tmp_path / "out", ["lpc"], lambda *_: None).read_text()
    files = sorted((tmp_path / "out").rglob("*.flac"))
    files[0].unlink()
    before = {p: p.stat().st_mtime_ns for p in files[1:]}
    assert vocode(clips, tmp_path / "out", ["lpc"], lambda *_: None).read_text() == first
    assert files[0].is_file()
    assert {p: p.stat().st_mtime_ns for p in files[1:]} == before


def test_vocode_through_some_systems_only(tmp_path: Path) -> None:
    manifest = vocode(_speech(tmp_path / "in"), tmp_path / "out", NAMES, lambda *_: None, per_clip=1)
    assert sum(c.label for c in load_manifest(manifest)) == 2


def test_vocode_names_what_it_cannot_do(tmp_path: Path) -> None:
    clips = _speech(tmp_path / "in")
    with pytest.raises(CorpusError, match=r"no vocoder vocodec; there are griffin-lim"):
        vocode(clips, tmp_path / "out", ["vocodec"], lambda *_: None)
    with pytest.raises(CorpusError, match="none of these clips"):
        vocode([], tmp_path / "out", ["lpc"], lambda *_: None)
    with pytest.raises(CorpusError, match="holds no audio"):
        find_speech(tmp_path / "nowhere")
