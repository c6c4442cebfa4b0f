"""Names the system that made a clip: a linear classifier over what the network makes of it, pooled over the clip.

The classes are the systems of a corpus and bona fide speech. What the classifier sees is chosen on the training split,
with speakers held out; the dev split is for the figures alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.corpora.clips import Clip, CorpusError
from training.evaluate.embedding import Embeddings

Floats = NDArray[Any]
Names = NDArray[np.str_]

VIEWS: Mapping[str, tuple[str, ...]] = {
    "hidden": ("hidden",),
    "conv": ("conv",),
    "hidden+conv": ("hidden", "conv"),
    "spectrum": ("spectrum",),
    "hidden+conv+spectrum": ("hidden", "conv", "spectrum"),
}
"""The inputs that a classifier may have: fields of an Embeddings clip."""

INVERSE_PENALTY = 0.03
FOLDS = 5
KEPT = 0.95
"""Share of clips of known systems that keep their name at the threshold below which a clip is of an unknown system."""


@dataclass(frozen=True)
class Classifier:
    """classes: K names. view: of VIEWS. mean, scale (S,): of the input. weight (K, S), bias (K,). unknown_below: a clip
    whose likeliest class has a lower probability is of no known system.
    """

    classes: tuple[str, ...]
    view: str
    mean: Floats
    scale: Floats
    weight: Floats
    bias: Floats
    unknown_below: float = 0.0

    def probabilities(self, clips: Embeddings) -> Floats:
        """Return (n, K), each row sums to 1."""
        z = (see(clips, self.view) - self.mean) / self.scale @ self.weight.T + self.bias
        odds = np.exp(z - z.max(1, keepdims=True))
        return np.asarray(odds / odds.sum(1, keepdims=True))

    def names(self, clips: Embeddings) -> Names:
        """Return (n,) the likeliest class of each clip."""
        named: Names = np.array(self.classes)[self.probabilities(clips).argmax(1)]
        return named


def see(clips: Embeddings, view: str) -> Floats:
    """Return (n, S) what a view shows of clips."""
    return np.concatenate([getattr(clips, field) for field in VIEWS[view]], axis=1).astype(np.float64)


def take(clips: Embeddings, rows: NDArray[Any]) -> Embeddings:
    """Return some of the clips, by number."""
    scores = tuple(clips.scores[i] for i in np.asarray(rows).tolist())
    return Embeddings(clips.hidden[rows], clips.conv[rows], clips.spectrum[rows], scores)


def class_of(clip: Clip) -> str:
    """Return bonafide, or the system; its family where a corpus names no systems."""
    return (clip.system or clip.family) if clip.label else "bonafide"


def fit(clips: Embeddings, names: Names, view: str) -> Classifier:
    """Fit a multinomial logistic regression, classes weighed alike, input scaled to unit variance."""
    from sklearn.linear_model import LogisticRegression

    x = see(clips, view)
    mean, scale = x.mean(0), np.maximum(x.std(0), 1e-6)
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=500, class_weight="balanced").fit((x - mean) / scale, names)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:
        weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
    return Classifier(tuple(map(str, model.classes_)), view, mean, scale, weight, bias)


def held_out(clips: Embeddings, names: Names, speakers: Names, view: str) -> tuple[Names, Floats]:
    """Classify clips whose speakers they never heard: names (n,) and their probabilities (n,)."""
    from sklearn.model_selection import GroupKFold

    folds = min(FOLDS, len(set(speakers.tolist())))
    if folds < 2:
        raise CorpusError("to choose a classifier, the training clips must be of two speakers or more")
    predicted, confidence = np.empty_like(names), np.zeros(len(names))
    for rest, held in GroupKFold(folds).split(names, groups=speakers):
        model = fit(take(clips, rest), names[rest], view)
        p = model.probabilities(take(clips, held))
        predicted[held], confidence[held] = np.array(model.classes)[p.argmax(1)], p.max(1)
    return predicted, confidence


def accuracy(predicted: Names, true: Names) -> dict[str, float]:
    """Share of the clips named right, and the mean over classes of the share that is."""
    right = predicted == true
    each = [float(right[true == name].mean()) for name in sorted(set(true.tolist()))]
    return {"accuracy": float(right.mean()), "balanced_accuracy": float(np.mean(each))}


def choose(
    clips: Embeddings, names: Names, speakers: Names, log: Callable[[str], None]
) -> tuple[Classifier, dict[str, Any]]:
    """Return the classifier of the view that names most held-out training clips right, and the figures of all views."""
    figures: dict[str, dict[str, float]] = {}
    threshold: dict[str, float] = {}
    for view in VIEWS:
        predicted, confidence = held_out(clips, names, speakers, view)
        figures[view] = accuracy(predicted, names)
        shares = [f"{100 * value:.1f} %" for value in figures[view].values()]
        log(f"held-out speakers: {view:22s} {shares[0]} of the clips right, {shares[1]} balanced")
        known = names != "bonafide"
        threshold[view] = float(np.quantile(confidence[known], 1.0 - KEPT)) if known.any() else 0.0
    best = max(VIEWS, key=lambda view: figures[view]["balanced_accuracy"])
    model = fit(clips, names, best)
    return Classifier(**(vars(model) | {"unknown_below": threshold[best]})), figures


def report(predicted: Names, true: Names, classes: Sequence[str]) -> dict[str, Any]:
    """Return the accuracy, balanced accuracy; per class precision, recall, F1 and clips; the confusion matrix, true by
    said.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    rows = precision_recall_fscore_support(true, predicted, labels=list(classes), zero_division=0.0)
    columns = zip(classes, *(column.tolist() for column in rows), strict=True)
    return accuracy(predicted, true) | {
        "clips": len(true),
        "classes": {name: {"precision": p, "recall": r, "f1": f, "clips": int(n)} for name, p, r, f, n in columns},
        "confusion": confusion_matrix(true, predicted, labels=list(classes)).tolist(),
    }


def counts(names: Names) -> dict[str, int]:
    return dict(sorted(Counter(names.tolist()).items()))
