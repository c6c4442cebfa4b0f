"""What the network is asked for: right frames, right evidence over a stretch of speech, the family, speech itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from model.network import Output
from training.sampler import NO_LABEL, Batch


@dataclass(frozen=True)
class LossWeights:
    """Relative weights; smoothing of labels; blocks of net speech over which a new piece gains full weight."""

    frame: float = 1.0
    evidence: float = 1.0
    family: float = 0.3
    speech: float = 0.3
    smoothing: float = 0.03
    onset_blocks: int = 25


def _pool(values: Tensor, piece: Tensor, active: Tensor, pieces: int) -> tuple[Tensor, Tensor]:
    """Mean of values (N, T, ...) over the active blocks of each piece: (N, P, ...), and the number of blocks (N, P)."""
    slot = torch.where(active, piece, torch.full_like(piece, pieces))
    one_hot = F.one_hot(slot, pieces + 1)[..., :pieces].to(values.dtype)
    count = one_hot.sum(1)
    total = torch.einsum("ntp,nt...->np...", one_hot, values)
    shape = count.shape + (1,) * (values.ndim - 2)
    return total / count.clamp(min=1.0).reshape(shape), count


def training_loss(out: Output, batch: Batch, weights: LossWeights) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum, and its parts for the log (detached)."""
    labelled = (batch.label != NO_LABEL) & (batch.piece != NO_LABEL)
    active = out.active & labelled
    target = batch.label.clamp(min=0).float() * (1 - 2 * weights.smoothing) + weights.smoothing
    pieces = int(batch.piece.max()) + 1
    in_piece = F.one_hot(torch.where(active, batch.piece, torch.full_like(batch.piece, pieces)), pieces + 1)[
        ..., :pieces
    ]
    heard = (in_piece.cumsum(1) * in_piece).sum(-1).float()
    ramp = (heard / weights.onset_blocks).clamp(max=1.0) * active
    frame = (F.binary_cross_entropy_with_logits(out.spoof, target, reduction="none") * ramp).sum() / ramp.sum().clamp(
        min=1
    )

    pooled, count = _pool(out.spoof, batch.piece, active, pieces)
    piece_target, _ = _pool(target, batch.piece, active, pieces)
    long_enough = (count >= weights.onset_blocks).float()
    evidence = F.binary_cross_entropy_with_logits(pooled, piece_target, reduction="none")
    evidence = (evidence * long_enough).sum() / long_enough.sum().clamp(min=1)

    family_logits, _ = _pool(out.family, batch.piece, active, pieces)
    family_target = torch.full_like(count, NO_LABEL, dtype=torch.int64)
    for p in range(pieces):
        family_target[:, p] = torch.where(batch.piece == p, batch.family, NO_LABEL).amax(1)
    known = (family_target != NO_LABEL) & (count >= weights.onset_blocks)
    family = F.cross_entropy(family_logits[known], family_target[known]) if bool(known.any()) else evidence * 0
    speech = F.binary_cross_entropy_with_logits(out.speech, batch.speech.float())
    parts = {"frame": frame, "evidence": evidence, "family": family, "speech": speech}
    total = sum((getattr(weights, k) * v for k, v in parts.items()), torch.zeros((), device=frame.device))
    return total, {k: v.detach() for k, v in parts.items()}
