"""Pictures of classes: a confusion matrix of any size, and clips as points of a plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.corpora.clips import BONA_FIDE
from training.evaluate.drawing import panels

MARKERS = "osD^v<>pP*Xhd8H"


def counts_matrix(axis: Any, confusion: Any, names: Any, size: int = 7) -> None:
    """Draw counts (K, K), true by named, shaded by the share of a row."""
    counts = np.array(confusion, dtype=float)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axis.grid(visible=False)
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=size)
    axis.set_yticks(range(len(names)), names, fontsize=size)
    for i, j in np.argwhere(counts > 0).tolist():
        colour = "white" if share[i, j] > 0.55 else "#222222"
        axis.text(j, i, f"{int(counts[i, j])}", ha="center", va="center", fontsize=size, color=colour)


def confusion(found: Mapping[str, Any], title: str) -> Any:
    """Return the confusion matrix of a report of training.evaluate.classes."""
    names = list(found["classes"])
    side = 1.6 + 0.3 * len(names)
    figure, axes = panels(1, 1, side + 0.6, side)
    axis = axes[0, 0]
    counts_matrix(axis, found["confusion"], names)
    axis.set(title=f"{title}: {100 * found['accuracy']:.1f} % of {found['clips']} clips", xlabel="named", ylabel="true")
    return figure


def scatter(places: NDArray[Any], names: NDArray[np.str_]) -> Any:
    """Return the clips at places (n, 2), a colour and a mark a class, the commonest first; after 15 classes
    "others"."""
    import matplotlib as mpl

    kinds, counts = np.unique(names, return_counts=True)
    order = [str(kinds[i]) for i in np.argsort(-counts, kind="stable")]
    order = [n for n in order if n == BONA_FIDE] + [n for n in order if n != BONA_FIDE]
    shown = order[: len(MARKERS)]
    colours = ["#222222", *(mpl.colormaps["tab20"](i) for i in range(20))]
    figure, axes = panels(1, 1, 7.4, 4.8)
    axis = axes[0, 0]
    rest = ~np.isin(names, shown)
    if rest.any():
        axis.scatter(*places[rest].T, s=8, color="#c8c8c8", linewidths=0, label=f"others ({int(rest.sum())})")
    for name, colour, mark in zip(shown, colours, MARKERS, strict=False):
        rows = names == name
        label = f"{name} ({int(rows.sum())})"
        axis.scatter(*places[rows].T, s=20, color=[colour], marker=mark, linewidths=0, alpha=0.8, label=label)
    axis.set(xticks=[], yticks=[], title="Hidden state of the network, pooled over each clip (t-SNE)")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure
