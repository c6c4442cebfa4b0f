"""training shortcuts: how far a corpus can be told apart without listening to the voice.

A classifier on length, level, silence, bandwidth and file format alone, cross-validated over speakers. What it reaches
is what a detector could reach by cheating; 0.5 is a corpus without such shortcuts (cf. Müller et al., "Speech is
Silver, Silence is Golden", 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import HOP, SAMPLE_RATE
from training.corpora.bank import read_audio
from training.corpora.clips import Clip, CorpusError
from training.corpora.work_progress import Progress
from training.evaluate.detection_metrics import auc

Floats = NDArray[np.float64]

NAMES = (
    "length",
    "level",
    "peak",
    "leading silence",
    "trailing silence",
    "share of silence",
    "share of exact zeros",
    "noise floor",
    "bandwidth",
    "sample rate of the file",
    "file format",
)
GROUPS = {
    "length": (0,),
    "level": (1, 2),
    "silence": (3, 4, 5, 6, 7),
    "bandwidth": (8,),
    "file format": (9, 10),
    "all together": tuple(range(len(NAMES))),
}
SILENT_DB = 40.0
"""Below the loudest cell of a clip."""
EDGE_DB = 50.0
"""The bandwidth ends where the mean spectrum falls so far below its maximum."""
FOLDS = 5


def describe(clip: Clip) -> Floats:
    """Return the NAMES of one clip, as numbers. Raises CorpusError."""
    import soundfile

    x = read_audio(clip.path).astype(np.float64)
    if len(x) < 2 * HOP:
        x = np.pad(x, (0, 2 * HOP - len(x)))
    cells = x[: len(x) // HOP * HOP].reshape(-1, HOP)
    level = 10.0 * np.log10((cells**2).mean(1) + 1e-12)
    loud = np.flatnonzero(level > level.max() - SILENT_DB)
    silences = loud[0], len(level) - 1 - loud[-1], 1.0 - len(loud) / len(level)
    floor = float(np.percentile(level, 5))
    kind = float(sum(clip.path.suffix.lower().encode()))
    rate = float(soundfile.info(clip.path).samplerate)
    head = len(x) / SAMPLE_RATE, level.mean(), np.abs(x).max()
    return np.array([*head, *silences, (x == 0).mean(), floor, _bandwidth(x), rate, kind])


def _bandwidth(x: Floats) -> float:
    """Return Hz. Only whole frames: a signal cut off within one would seem to reach up to the top."""
    size = 1024
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(x, (0, max(0, size - len(x)))), size)[
        :: size // 2
    ] * np.hanning(size)
    power = 10.0 * np.log10((np.abs(np.fft.rfft(frames, axis=1)) ** 2).mean(0) + 1e-12)
    return float(np.flatnonzero(power > power.max() - EDGE_DB)[-1] * SAMPLE_RATE / size)


@dataclass(frozen=True)
class Shortcut:
    """auc: of the classifier on clips whose speakers it had not met, 0.5 to 1."""

    name: str
    auc: float


def find_shortcuts(clips: Sequence[Clip], progress: Progress, seed: int = 0) -> list[Shortcut]:
    """Measure what each of GROUPS gives away. Raises CorpusError where there are too few clips or speakers."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import GroupKFold, cross_val_predict

    labels = np.array([c.label for c in clips])
    speakers = np.array([c.speaker or c.pair or str(c.path) for c in clips])
    if len(set(speakers.tolist())) < FOLDS or len(set(labels.tolist())) < 2:
        raise CorpusError(f"needs bona fide and spoof clips of at least {FOLDS} speakers")
    table = np.empty((len(clips), len(NAMES)))
    for i, clip in enumerate(clips):
        table[i] = describe(clip)
        progress(i + 1, len(clips))
    found = []
    for name, columns in GROUPS.items():
        model: Any = HistGradientBoostingClassifier(max_iter=100, random_state=seed, class_weight="balanced")
        folds = GroupKFold(FOLDS)
        guesses = cross_val_predict(model, table[:, columns], labels, groups=speakers, cv=folds, method="predict_proba")
        found.append(Shortcut(name, auc(guesses[:, 1], labels)))
    return found
