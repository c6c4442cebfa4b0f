"""Embeddings of whole clips: the hidden state and its convolutions' output, pooled over speech.

Read while the clips stream through the same step as a live call, so that what is described is what is deployed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.stream import Detector
from training.corpora.work_progress import Progress
from training.evaluate.scoring import Audio, ClipScore, pool, stream_clips

Floats = NDArray[np.float32]

WINDOW, HOP = 1024, 320
"""Samples of the spectra that are described: 64 ms, every 20 ms."""
RANGE_DB = 32.0
"""Windows so far below the loudest one are no speech."""


@dataclass(frozen=True)
class Embeddings:
    """n clips. hidden (n, 2 D): mean and standard deviation over speech of what the heads see. conv (n, 2 E): of what
    the recurrent part hears. spectrum (n, S): statistics of the log power spectrum itself. scores: n.
    """

    hidden: Floats
    conv: Floats
    spectrum: Floats
    scores: tuple[ClipScore, ...]


@dataclass
class _Seen:
    """Return what passed the recurrent part since the stack of clips began: blocks (N, 1, E) in and (N, 1, D) out."""

    conv: list[Tensor]
    hidden: list[Tensor]

    def __call__(self, _: nn.Module, inputs: tuple[Any, ...], output: tuple[Tensor, Any]) -> None:
        self.conv.append(inputs[0])
        self.hidden.append(output[0])

    def clear(self) -> None:
        self.conv.clear()
        self.hidden.clear()


@contextmanager
def _watching(detector: Detector) -> Iterator[_Seen]:
    seen = _Seen([], [])
    handle = detector.network.recurrent.register_forward_hook(seen)
    try:
        yield seen
    finally:
        handle.remove()


def pooled(blocks: Floats, active: NDArray[np.bool_]) -> Floats:
    """Return (2 D,) mean and standard deviation of the active rows of blocks (B, D); zeros without any."""
    some = blocks[active]
    if not len(some):
        return np.zeros(2 * blocks.shape[1], dtype=np.float32)
    return np.concatenate([some.mean(0), some.std(0)]).astype(np.float32)


def spectrum_statistics(x: Audio) -> Floats:
    """Return (7 * 513,) of the log power spectrum of float32 (n,): mean and standard deviation of the loud windows,
    mean change from window to window, mean curvature over frequency, 10 % and 90 % quantile; and the 5 % quantile of
    all windows.
    """
    padded = np.pad(x, (0, max(0, WINDOW + HOP - len(x))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW)
    log = np.log(np.square(np.abs(np.fft.rfft(frames))) + 1e-7)
    level = 10.0 * np.log10(np.square(frames).mean(1) + 1e-12)
    loud = log[level > level.max() - RANGE_DB]
    curvature = np.pad(np.abs(np.diff(loud, 2, axis=1)).mean(0), 1, mode="edge")
    change = np.abs(np.diff(log, axis=0)).mean(0)
    low, high = np.quantile(loud, [0.1, 0.9], axis=0)
    floor = np.quantile(log, 0.05, axis=0)
    return np.concatenate([loud.mean(0), loud.std(0), change, curvature, low, high, floor]).astype(np.float32)


def embed(detector: Detector, clips: Sequence[Audio], size: int = 128, progress: Progress | None = None) -> Embeddings:
    """Stream clips float32 (n,) from a cold state."""
    hidden: dict[int, Floats] = {}
    conv: dict[int, Floats] = {}
    scores: dict[int, ClipScore] = {}
    with _watching(detector) as seen:
        stack: list[tuple[int, NDArray[np.bool_]]] = []

        def stack_done(done: int, total: int) -> None:
            """Pool the stack of clips whose blocks were seen."""
            outputs, remembered = (torch.cat(parts, dim=1).cpu().numpy() for parts in (seen.conv, seen.hidden))
            for row, (i, active) in enumerate(stack):
                conv[i] = pooled(outputs[row, : len(active)], active)
                hidden[i] = pooled(remembered[row, : len(active)], active)
            seen.clear()
            stack.clear()
            if progress:
                progress(done, total)

        for i, found in stream_clips(detector, clips, size, stack_done):
            scores[i] = pool(found, detector)
            stack.append((i, found.active[0].numpy()))
    order = range(len(clips))
    spectra = np.stack([spectrum_statistics(x) for x in clips])
    hidden_all, conv_all = (np.stack([held[i] for i in order]) for held in (hidden, conv))
    return Embeddings(hidden_all, conv_all, spectra, tuple(scores[i] for i in order))


def tsne(vectors: Floats, seed: int = 0) -> NDArray[np.float32]:
    """Return places (n, 2) of vectors (n, D), scaled (van der Maaten and Hinton, JMLR 9, 2008); n > 3."""
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    perplexity = min(30.0, (len(vectors) - 1) / 3.0)
    places = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    return np.asarray(places.fit_transform(StandardScaler().fit_transform(vectors)), dtype=np.float32)
