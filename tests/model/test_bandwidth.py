"""The bandwidth of a voice is found while it runs, and chooses the calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.config import BLOCK, Calibration, DetectorConfig, NetworkConfig
from model.figures import Bandwidth
from model.stream import Detector, init_state, step
from training.channels.channels import CHANNELS
from training.evaluate.detection_metrics import fit_calibration
from training.evaluate.scoring import ClipScore, score_clips
from training.learn.calibration import FEWEST, fitted

WIDE, TELEPHONE = Calibration(2.0, 0.5), Calibration(1.0, -0.5)


@pytest.fixture(scope="module")
def detector() -> Detector:
    """A small network that takes everything for speech."""
    torch.manual_seed(3)
    config = DetectorConfig(network=NetworkConfig(channels=(4, 4), embedding=8, hidden=8))
    made = Detector(replace(config, calibration=WIDE, telephone_calibration=TELEPHONE))
    torch.nn.init.constant_(made.network.speech.bias, 50.0)
    return made.prepared()


def voice(seconds: float) -> np.ndarray:
    """Harmonics of 140 Hz that end at 3 kHz, and a hiss of 4 to 7 kHz, 20 dB below, for 100 ms of each half second."""
    rng = np.random.default_rng(4)
    t = np.arange(int(seconds * 16000)) / 16000
    x = sum(np.sin(2 * np.pi * 140 * k * t + k * k) / k for k in range(1, 22))
    spectrum = np.fft.rfft(rng.standard_normal(len(t)))
    hz = np.fft.rfftfreq(len(t), 1 / 16000)
    hiss = np.fft.irfft(spectrum * ((hz > 4000) & (hz < 7000)), n=len(t))
    return (0.05 * x + 0.02 * hiss * ((t % 0.5) < 0.1)).astype(np.float32)


def found(detector: Detector, audio: np.ndarray) -> list[Bandwidth]:
    _, scores = step(detector, init_state(detector), torch.from_numpy(audio)[None])
    return [Bandwidth(int(b)) for b in scores.bandwidth[0]]


def test_wideband_speech_shows_itself_at_once(detector: Detector) -> None:
    heard = found(detector, voice(3.0))
    assert set(heard[5:]) == {Bandwidth.WIDEBAND}


@pytest.mark.parametrize("channel", ["narrow", "g711-mu", "gsm"])
def test_the_telephone_is_known_after_a_second_of_speech(detector: Detector, channel: str) -> None:
    through = CHANNELS[channel](voice(3.0), np.random.default_rng(1))
    heard = found(detector, through)
    assert set(heard[5:40]) == {Bandwidth.UNKNOWN}
    assert set(heard[60:-1]) == {Bandwidth.TELEPHONE}


def test_a_call_that_changes_its_codec_is_noticed(detector: Detector) -> None:
    wide = voice(6.0)
    narrow = CHANNELS["narrow"](voice(20.0), np.random.default_rng(1))
    heard = found(detector, np.concatenate([wide, narrow, wide]))
    assert heard[290] is Bandwidth.WIDEBAND
    assert heard[1290] is Bandwidth.TELEPHONE
    assert heard[-1] is Bandwidth.WIDEBAND


def test_silence_says_nothing(detector: Detector) -> None:
    assert set(found(detector, np.zeros(100 * BLOCK, dtype=np.float32))) == {Bandwidth.UNKNOWN}


def test_each_bandwidth_has_its_calibration(detector: Detector) -> None:
    wide = voice(3.0)
    narrow = CHANNELS["narrow"](wide, np.random.default_rng(1))
    one, other = score_clips(detector, [wide, narrow])
    assert one.llr == pytest.approx(WIDE.scale * one.logit + WIDE.offset)
    assert other.llr == pytest.approx(TELEPHONE.scale * other.logit + TELEPHONE.offset)


def test_calibrations_are_fitted_where_there_are_enough_clips() -> None:
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1], 2 * FEWEST)
    bands = np.tile([Bandwidth.WIDEBAND, Bandwidth.TELEPHONE], 2 * FEWEST)
    logits = rng.standard_normal(len(labels)) + 2.0 * labels + 3.0 * (bands == Bandwidth.TELEPHONE)
    scores = [
        ClipScore(float(x), 0.0, np.zeros(1, np.float32), 1.0, Bandwidth(b)) for x, b in zip(logits, bands, strict=True)
    ]
    config = fitted(DetectorConfig(), scores, labels)
    for band, made in ((Bandwidth.WIDEBAND, config.calibration), (Bandwidth.TELEPHONE, config.telephone_calibration)):
        rows = bands == band
        assert made == Calibration(*fit_calibration(logits[rows], labels[rows]))
    few = fitted(DetectorConfig(), scores[:3] + scores[-3:], np.array([0, 0, 0, 1, 1, 1]))
    assert few.telephone_calibration is None
