"""The features equal those of torchaudio and librosa for the same settings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchaudio

from model.config import HOP, N_FFT, SAMPLE_RATE, WINDOW, FeatureConfig
from model.features import FEATURES, TAIL, EnvelopeFeatures, SincFeatures, build_features, hann, spectra
from model.filterbanks import linear_filters, mel_filters, octave_filters

N_FRAMES = 60


@pytest.fixture
def speechlike() -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(1, TAIL + N_FRAMES * HOP, generator=generator, dtype=torch.float64)
    t = torch.arange(noise.shape[1]) / SAMPLE_RATE
    tones = sum(torch.sin(2 * torch.pi * f * t * (1 + 0.1 * t)) for f in (140.0, 700.0, 2500.0))
    return (0.02 * noise + 0.1 * tones).float()


def _reference(x: torch.Tensor, transform: torch.nn.Module) -> torch.Tensor:
    """torchaudio centres the 400-sample window in 512 samples: pad so that its frames cover the same samples."""
    side = (N_FFT - WINDOW) // 2
    return transform(torch.nn.functional.pad(x, (side, side)))[0].T


def _ours(x: torch.Tensor, config: FeatureConfig) -> torch.Tensor:
    return build_features(config).raw(spectra(x, hann()))[0]


STFT = {"n_fft": N_FFT, "win_length": WINDOW, "hop_length": HOP, "center": False, "power": 2.0}


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_mel_equals_torchaudio(speechlike: torch.Tensor, scale: str) -> None:
    reference = torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE, n_mels=64, f_min=20.0, f_max=7600.0, mel_scale=scale, **STFT
    )
    ours = _ours(speechlike, FeatureConfig(kind="mel", n_filters=64, f_min=20.0, f_max=7600.0, mel_scale=scale))
    expected = torch.log(_reference(speechlike, reference) + 1e-6)
    torch.testing.assert_close(ours, expected, atol=2e-4, rtol=1e-4)


@pytest.mark.slow  # librosa compiles what it calls
def test_mel_and_mfcc_equal_librosa(speechlike: torch.Tensor) -> None:
    import librosa

    side, bands = (N_FFT - WINDOW) // 2, {"sr": SAMPLE_RATE, "n_fft": N_FFT, "n_mels": 80, "htk": True, "norm": None}
    frames = {"hop_length": HOP, "win_length": WINDOW, "center": False}
    mel = librosa.feature.melspectrogram(y=np.pad(speechlike[0].numpy(), (side, side)), **bands, **frames)
    log_mel = np.log(mel + 1e-6)
    np.testing.assert_allclose(_ours(speechlike, FeatureConfig(kind="mel")).numpy(), log_mel.T, atol=2e-4)
    mfcc = librosa.feature.mfcc(S=log_mel, n_mfcc=40)
    np.testing.assert_allclose(_ours(speechlike, FeatureConfig(kind="mfcc")).numpy(), mfcc.T, atol=1e-3)
    np.testing.assert_allclose(
        mel_filters(FeatureConfig(kind="mel")).numpy().T, librosa.filters.mel(**bands), atol=1e-5
    )


def test_mfcc_equals_torchaudio(speechlike: torch.Tensor) -> None:
    melkwargs = {"n_mels": 80, "f_min": 0.0, "f_max": 8000.0, **STFT}
    reference = torchaudio.transforms.MFCC(SAMPLE_RATE, n_mfcc=40, log_mels=True, melkwargs=melkwargs)
    ours = _ours(speechlike, FeatureConfig(kind="mfcc"))
    torch.testing.assert_close(ours, _reference(speechlike, reference), atol=1e-3, rtol=1e-4)


def test_lfcc_equals_torchaudio(speechlike: torch.Tensor) -> None:
    reference = torchaudio.transforms.LFCC(
        SAMPLE_RATE, n_filter=80, f_min=0.0, f_max=8000.0, n_lfcc=40, log_lf=True, speckwargs=STFT
    )
    ours = _ours(speechlike, FeatureConfig(kind="lfcc"))
    torch.testing.assert_close(ours, _reference(speechlike, reference), atol=1e-3, rtol=1e-4)


def test_linear_filters_equal_torchaudio() -> None:
    reference = torchaudio.functional.linear_fbanks(N_FFT // 2 + 1, 0.0, 8000.0, 80, SAMPLE_RATE)
    torch.testing.assert_close(linear_filters(FeatureConfig()), reference, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", FEATURES)
def test_scaling_gives_zero_mean_and_unit_variance(speechlike: torch.Tensor, kind: str) -> None:
    features = build_features(FeatureConfig(kind=kind))
    spectrum = spectra(speechlike, hann())
    features.fit_scaling(spectrum)
    scaled = features(spectrum)[0]
    assert scaled.mean(0).abs().max() < 1e-3
    varying = features.std > 2e-3
    assert (scaled.std(0)[varying] - 1).abs().max() < 1e-3


def test_envelopes_know_a_click_from_a_noise_and_the_rate_of_pulses() -> None:
    envelope = build_features(FeatureConfig(kind="envelope"))
    assert isinstance(envelope, EnvelopeFeatures)
    t = np.arange(SAMPLE_RATE)
    noise = np.random.default_rng(1).standard_normal(SAMPLE_RATE)
    click = np.where(t % (4 * HOP) == 3 * HOP - 40, 1.0, 0.0)  # one in the middle of every fourth window
    pulses = np.where(t % 80 == 0, 1.0, 0.0)  # 200 Hz: 6.4 bins
    bands, found = envelope.BANDS, {}
    for name, x in (("noise", noise), ("click", click), ("pulses", pulses)):
        signal = torch.from_numpy(x).float()[None]
        values = envelope.raw(spectra(torch.nn.functional.pad(signal, (TAIL, 0)), hann()))[0]
        found[name] = values.reshape(len(values), len(envelope.SHIFTS), bands)
    assert found["noise"][5:].mean() < 0.5
    assert found["click"][3::4][1:-1, 0].min() > 0.95
    by_shift = found["pulses"][5:].mean((0, 2))
    assert int(by_shift.argmax()) == envelope.SHIFTS.index(6)
    assert found["noise"].max() <= 1.0 + 1e-4


def test_the_envelope_is_the_band_s_own_spectrum_moved(speechlike: torch.Tensor) -> None:
    spectrum = spectra(speechlike, hann())
    envelope = build_features(FeatureConfig(kind="envelope"))
    assert isinstance(envelope, EnvelopeFeatures)
    x, filters = spectrum[0].numpy().astype(np.complex128), envelope.filters.numpy()
    m = envelope.SHIFTS[2]
    product = (x[:, m:] * x[:, :-m].conj())[:, :, None] * filters[m:]
    expected = np.abs(product.sum(1)) / ((np.abs(x) ** 2) @ filters + envelope.floor)
    got = envelope.raw(spectrum)[0, :, 2 * envelope.BANDS : 3 * envelope.BANDS]
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-3, atol=1e-5)


def test_joined_features_are_their_parts_side_by_side(speechlike: torch.Tensor) -> None:
    spectrum = spectra(speechlike, hann())
    joined = build_features(FeatureConfig(kind="mel+envelope"))
    alone = [build_features(FeatureConfig(kind=kind)) for kind in ("mel", "envelope")]
    torch.testing.assert_close(joined.raw(spectrum), torch.cat([f.raw(spectrum) for f in alone], dim=2))
    assert [part.size for part in joined.layout] == [part.layout[0].size for part in alone]


@pytest.mark.parametrize(
    "config",
    [
        FeatureConfig(kind="mel+chroma"),
        FeatureConfig(kind="chroma"),
        FeatureConfig(f_max=9000.0),
        FeatureConfig(f_min=500.0, f_max=400.0),
        FeatureConfig(mel_scale="bark"),
    ],
)
def test_impossible_settings_are_refused(config: FeatureConfig) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        build_features(config)


def test_the_group_delay_of_a_click_is_its_place_in_the_window() -> None:
    delay = build_features(FeatureConfig(kind="delay", relative=False))
    window = torch.zeros(1, WINDOW)
    for place in (90, 210, 330):
        x = window.clone()
        x[0, place] = 1.0
        found = delay.raw(spectra(x, hann()))[0, 0]
        torch.testing.assert_close(found, torch.full_like(found, place / WINDOW), atol=2e-3, rtol=0.0)


def test_the_group_delay_is_minus_the_slope_of_the_phase() -> None:
    t = torch.arange(WINDOW) - 150.0
    x = (torch.exp(-(t**2) / 800.0) * torch.cos(2 * torch.pi * 0.125 * t))[None]
    spectrum = spectra(x, torch.ones(WINDOW))
    delay = build_features(FeatureConfig(kind="delay", relative=False)).raw(spectrum)[0, 0]
    phase = np.unwrap(np.angle(spectrum[0, 0].numpy()))[60:68]
    slope = -np.polyfit(2 * np.pi * np.arange(60, 68) / N_FFT, phase, 1)[0]
    assert delay[19:21].numpy() * WINDOW == pytest.approx(slope, abs=0.5)


def test_octave_filters_have_one_q_above_a_bin_s_width() -> None:
    filters = octave_filters(FeatureConfig(kind="octave", n_filters=40))
    hz = torch.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1)[:, None]
    centres = (filters * hz).sum(0) / filters.sum(0)
    assert (filters.sum(0) > 0).all()
    width = ((filters * (hz - centres) ** 2).sum(0) / filters.sum(0)).sqrt()
    quality = (centres / width)[centres > 1500]
    assert float(quality.std() / quality.mean()) < 0.05
    assert float((centres[1:] / centres[:-1])[25:].std()) < 0.01


def test_a_tone_lies_in_the_learned_band_between_whose_edges_it_is() -> None:
    sinc = build_features(FeatureConfig(kind="sinc", relative=False))
    assert isinstance(sinc, SincFeatures)
    edges = sinc.low.detach().numpy() * 1000.0
    for hz in (1100.0, 2500.0, 6000.0):
        tone = torch.sin(2 * torch.pi * hz * torch.arange(WINDOW) / SAMPLE_RATE)[None]
        loudest = int(sinc.raw(spectra(tone, hann()))[0, 0].argmax())
        assert edges[loudest] - 25.0 < hz < edges[loudest + 1] + 25.0


def test_learned_bands_learn_both_edges(speechlike: torch.Tensor) -> None:
    sinc = build_features(FeatureConfig(kind="sinc"))
    spectrum = spectra(speechlike, hann())
    sinc.fit_scaling(spectrum)
    for _ in range(2):  # the scaling is no part of what is learned
        sinc(spectrum)[..., 10:].square().sum().backward()
    assert len(list(sinc.parameters())) == 2
    assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in sinc.parameters())
