"""The scores of a file that went through a codec, to compare those of a live call with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from model.resample import resample_all
from monitor.audio import Audio
from monitor.rtp.codecs import open_decoder
from monitor.rtp.encode import encode
from monitor.rtp.payload import PayloadFormat
from monitor.types import SAMPLE_RATE, Event

INTERVAL_MS = 500
"""Between two scores."""
FileScores = Mapping[int, tuple[float, float]]
"""(p_fake, llr) by the index after the newest sample."""


def through(form: PayloadFormat, audio: Audio) -> Audio:
    """Code and decode audio float32 (n,) at 16 kHz; returns it at the rate of the codec."""
    decoder = open_decoder(form)
    at_rate = resample_all(audio, SAMPLE_RATE, form.sample_rate)
    return np.concatenate([decoder.decode(payload) for payload in encode(form, at_rate, 20.0)])


def replayed(form: PayloadFormat, audio: Audio, weights: Sequence[str], folder: Path) -> FileScores:
    """Return the scores of audio float32 (n,) at 16 kHz, coded and decoded, by `monitor replay`."""
    path = folder / f"{form.encoding}-{form.sample_rate}.wav"
    soundfile.write(path, through(form, audio), form.sample_rate, subtype="FLOAT")
    words = ["replay", "--speed", "max", "--json", "--no-publish", str(path), *weights]
    command = [sys.executable, "-m", "monitor", *words, "--set", f"publish.score_interval_ms={INTERVAL_MS}"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    events = [json.loads(line) for line in lines]
    return {e["sample"]: (e["p_fake"], e["llr"]) for e in events if e["type"] == "score"}


def difference(event: Event, wanted: FileScores) -> tuple[float, float]:
    """Return the difference of p_fake and llr to the file at the nearest time."""
    p_fake, llr = wanted[min(wanted, key=lambda sample: abs(sample - event.sample))]
    return abs(float(str(event.data["p_fake"])) - p_fake), abs(float(str(event.data["llr"])) - llr)
