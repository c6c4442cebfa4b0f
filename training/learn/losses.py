"""The losses of the network: right frames, right evidence over a stretch of speech, the family, speech itself; and,
where they are wanted, that fakes lie together, and that a fake scores above the recording it was made of.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from model.network import NetworkOutput
from training.learn.penalties import LOSSES, check_loss, contrastive, margins_of_pairs
from training.learn.sampler import NO_LABEL, TrainingBatch


@dataclass(frozen=True)
class LossWeights:
    """kind: of penalties.LOSSES, of the decision between bona fide and spoof. Relative weights of the terms;
    contrastive and pairs are left out at 0. teachers: share of the target that is theirs, where there are any.
    smoothing of labels; onset_blocks: of net speech over which a new piece gains full weight.
    """

    kind: str = "bce"
    frame: float = 1.0
    evidence: float = 1.0
    family: float = 0.3
    speech: float = 0.3
    contrastive: float = 0.0
    pairs: float = 0.0
    teachers: float = 0.8
    smoothing: float = 0.03
    onset_blocks: int = 25

    def __post_init__(self) -> None:
        """Raises ValueError."""
        check_loss(self.kind)


@dataclass(frozen=True)
class _Pieces:
    """Means over the active blocks of each piece. spoof, target, count (N, P); count: blocks. label int64 (N, P).
    embedding (N, P, D). long_enough: bool (N, P), pieces that are decided upon.
    """

    spoof: Tensor
    target: Tensor
    label: Tensor
    count: Tensor
    embedding: Tensor
    long_enough: Tensor


def _pool(values: Tensor, piece: Tensor, active: Tensor, pieces: int) -> tuple[Tensor, Tensor]:
    """Return mean of values (N, T, ...) over the active blocks of each piece: (N, P, ...), and the number of blocks (N,
    P).
    """
    slot = torch.where(active, piece, torch.full_like(piece, pieces))
    one_hot = F.one_hot(slot, pieces + 1)[..., :pieces].to(values.dtype)
    count = one_hot.sum(1)
    total = torch.einsum("ntp,nt...->np...", one_hot, values)
    shape = count.shape + (1,) * (values.ndim - 2)
    return total / count.clamp(min=1.0).reshape(shape), count


def _frame_loss(
    out: NetworkOutput, batch: TrainingBatch, active: Tensor, target: Tensor, weights: LossWeights, pieces: int
) -> Tensor:
    slot = torch.where(active, batch.piece, torch.full_like(batch.piece, pieces))
    in_piece = F.one_hot(slot, pieces + 1)[..., :pieces]
    counted = (in_piece.cumsum(1) * in_piece).sum(-1).float()
    ramp = (counted / weights.onset_blocks).clamp(max=1.0) * active
    return (LOSSES[weights.kind](out.spoof, target) * ramp).sum() / ramp.sum().clamp(min=1)


def _family_loss(out: NetworkOutput, batch: TrainingBatch, active: Tensor, held: _Pieces) -> Tensor:
    """Cross entropy over the pieces of known families; 0 where there are none, still a function of the head."""
    pieces = held.count.shape[1]
    logits, _ = _pool(out.family, batch.piece, active, pieces)
    target = torch.full_like(held.count, NO_LABEL, dtype=torch.int64)
    for p in range(pieces):
        target[:, p] = torch.where(batch.piece == p, batch.family, NO_LABEL).amax(1)
    known = (target != NO_LABEL) & held.long_enough
    return F.cross_entropy(logits[known], target[known]) if bool(known.any()) else logits.sum() * 0


def _pair_logits(batch: TrainingBatch, held: _Pieces) -> tuple[Tensor, Tensor]:
    """Return the logits of the fake over those of the recording (M,), of pieces where twin rows have one sentence;
    which count."""
    pieces = held.count.shape[1]
    same = torch.stack([(batch.aligned & (batch.piece == p)).any(1) for p in range(pieces)], dim=1)
    use = (same & held.long_enough).view(-1, 2, pieces).all(1)
    score, label = held.spoof.view(-1, 2, pieces), held.label.view(-1, 2, pieces)
    gain = (score[:, 1] - score[:, 0]) * (label[:, 1] - label[:, 0])
    return gain, use & (label[:, 0] != label[:, 1])


def training_loss(
    out: NetworkOutput, batch: TrainingBatch, weights: LossWeights, taught: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum, and its parts for the log (detached), the share of right blocks among them.

    taught: logits (N, T) of teachers.
    """
    labelled = (batch.label != NO_LABEL) & (batch.piece != NO_LABEL)
    active = out.active & labelled
    label = batch.label.clamp(min=0)
    target = label.float() * (1 - 2 * weights.smoothing) + weights.smoothing
    pieces = int(batch.piece.max()) + 1
    pooled, count = _pool(out.spoof, batch.piece, active, pieces)
    piece_target, _ = _pool(target, batch.piece, active, pieces)
    piece_label = (piece_target > 0.5).long()
    if taught is not None:
        pooled_teacher, _ = _pool(taught, batch.piece, active, pieces)
        piece_target = torch.lerp(piece_target, torch.sigmoid(pooled_teacher), weights.teachers)
        target = torch.lerp(target, torch.sigmoid(taught), weights.teachers)
    embedding, _ = _pool(out.embedding.float(), batch.piece, active, pieces)
    long_enough = count >= weights.onset_blocks
    held = _Pieces(pooled, piece_target, piece_label, count, embedding, long_enough)

    evidence = (LOSSES[weights.kind](pooled, piece_target) * long_enough).sum() / long_enough.sum().clamp(min=1)
    parts = {
        "frame": _frame_loss(out, batch, active, target, weights, pieces),
        "evidence": evidence,
        "family": _family_loss(out, batch, active, held),
        "speech": F.binary_cross_entropy_with_logits(out.speech, batch.speech.float()),
    }
    if weights.contrastive:
        parts["contrastive"] = contrastive(embedding[long_enough], held.label[long_enough])
    if weights.pairs:
        parts["pairs"] = margins_of_pairs(*_pair_logits(batch, held))
    total = sum((getattr(weights, k) * v for k, v in parts.items()), torch.zeros((), device=label.device))
    right = (((out.spoof > 0) == (label > 0)) & active).sum() / active.sum().clamp(min=1)
    return total, {k: v.detach() for k, v in parts.items()} | {"accuracy": right}
