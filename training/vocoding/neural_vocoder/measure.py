"""Measures how near copies are to their recordings, and how fast they are made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.config import SAMPLE_RATE
from model.vocoding.spectra import Audio, match_level
from model.vocoding.vocoders import Vocoder
from training.vocoding.neural_vocoder.vocoder_config import MEL
from training.vocoding.open_vocoders.mel import log_mel, to_rate

RANGE_DB = 60.0
DB = 20.0 / np.log(10.0)


@dataclass(frozen=True)
class VocoderDistance:
    """distance_db: mean over clips of log_mel_distance; real_time_factor: processor time by duration of the speech."""

    distance_db: float
    real_time_factor: float


def log_mel_distance(y: Audio, x: Audio) -> float:
    """Return mean absolute difference in dB of the log-mel spectrograms of a copy y and its recording x, both (n,) at
    16 kHz, brought to one level; bands more than 60 dB below the recording's loudest count as that.
    """
    n = min(len(x), len(y))
    known = to_rate(x[:n], MEL)
    mels = [log_mel(v, MEL) * DB for v in (match_level(y[:n], known), known)]
    floor = float(mels[1].max(initial=-np.inf)) - RANGE_DB
    one, other = (np.maximum(m, floor) for m in mels)
    return float(np.abs(one - other).mean())


def nearness(vocoder: Vocoder, clips: Sequence[Audio]) -> VocoderDistance:
    """Measure a vocoder on recordings, each (n,) at 16 kHz."""
    since = time.process_time()
    copies = [vocoder(x, i) for i, x in enumerate(clips)]
    spent = time.process_time() - since
    distances = [log_mel_distance(y, x) for y, x in zip(copies, clips, strict=True)]
    return VocoderDistance(float(np.mean(distances)), spent / (sum(map(len, clips)) / SAMPLE_RATE))
