"""Scores whole clips through the streaming step, many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.config import BLOCK, BLOCK_S
from model.figures import Bandwidth
from model.stream import Detector, Scores, init_state, score_blocks
from training.corpora.work_progress import Progress

AT_ONCE = 1024
"""Blocks of all clips together, which bounds the memory."""
Audio = NDArray[np.float32]


@dataclass(frozen=True)
class ClipScore:
    """logit: mean of the frame logits over net speech, 0.0 without any. llr: calibrated, nats. families: (K,)
    mean probabilities. net_speech_s: seconds. bandwidth: what was known of it at the end.
    """

    logit: float
    llr: float
    families: NDArray[np.float32]
    net_speech_s: float
    bandwidth: Bandwidth = Bandwidth.UNKNOWN


def _batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    for at in range(0, len(order), size):
        yield order[at : at + size]


def stream_clips(
    detector: Detector, clips: Sequence[Audio], size: int = 256, progress: Progress | None = None
) -> Iterator[tuple[int, Scores]]:
    """Stream clips float32 (n,) at 16 kHz; yields the number of a clip and its scores (1, B), in any order.

    Shorter clips of a stack end in lost audio, which carries no evidence.
    """
    done = 0
    for rows in _batches([len(c) for c in clips], size):
        blocks = max(1, -(-max(len(clips[i]) for i in rows) // BLOCK))
        audio = np.full((len(rows), blocks * BLOCK), np.nan, dtype=np.float32)
        for row, i in enumerate(rows):
            whole = len(clips[i]) // BLOCK * BLOCK
            audio[row, :whole] = clips[i][:whole]
        names = _in_segments(detector, audio)
        for row, i in enumerate(rows):
            yield i, Scores(**{k: v[row : row + 1, : len(clips[i]) // BLOCK] for k, v in names.items()})
        done += len(rows)
        if progress:
            progress(done, len(clips))


def _in_segments(detector: Detector, audio: Audio) -> dict[str, Any]:
    """Return the fields of the scores of whole blocks, float32 (N, B * BLOCK), scored many at once."""
    state, parts = init_state(detector, len(audio)), []
    size = max(1, AT_ONCE // len(audio)) * BLOCK
    with torch.inference_mode():
        for at in range(0, audio.shape[1], size):
            samples = torch.from_numpy(audio[:, at : at + size]).to(detector.device)
            state, scores = score_blocks(detector, state, samples)
            parts.append(scores)
    return {k: torch.cat([getattr(scores, k) for scores in parts], dim=1).cpu() for k in Scores.__dataclass_fields__}


def pool(scores: Scores, detector: Detector) -> ClipScore:
    """Return the score of one clip from its blocks (1, B)."""
    active = scores.active[0]
    if not bool(active.any()):
        return ClipScore(0.0, 0.0, scores.family[0].sum(0).numpy() * 0, 0.0)
    logit = float(scores.spoof[0][active].mean())
    band = Bandwidth(int(scores.bandwidth[0, -1]))
    calibration = detector.config.calibrated_for(band)
    llr = calibration.scale * logit + calibration.offset
    return ClipScore(logit, llr, scores.family[0][active].mean(0).numpy(), float(active.sum()) * BLOCK_S, band)


def score_clips(detector: Detector, clips: Sequence[Audio]) -> list[ClipScore]:
    """Return the score of each clip, in order."""
    found = {i: pool(scores, detector) for i, scores in stream_clips(detector, clips)}
    return [found[i] for i in range(len(clips))]
