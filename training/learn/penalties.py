"""Losses from papers: pure functions of logits, targets and embeddings."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from model.network import ONE_CLASS_MARGIN

FOCUS = 2.0
"""The exponent of the focal loss."""

TEMPERATURE = 0.1
PAIR_MARGIN = 2.0
"""Nats that a fake should score above the recording that it was made of."""

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logit: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy of logits against targets in [0, 1], one by one."""
    return F.binary_cross_entropy_with_logits(logit, target, reduction="none")


def focal(logit: Tensor, target: Tensor) -> Tensor:
    """Cross entropy that counts the less the surer the network is of the truth (Lin, Goyal, Girshick, He and Dollar,
    ICCV 2017); without their class weights, for the sampler draws both labels alike.
    """
    truth = torch.where(target > 0.5, logit, -logit)
    return torch.sigmoid(-truth) ** FOCUS * cross_entropy(logit, target)


def one_class(logit: Tensor, target: Tensor) -> Tensor:
    """Return the one-class softmax loss (Zhang, Jiang and Duan, IEEE Signal Processing Letters 28, 2021) of the logits
    of a model.network.OneClassHead: bona fide speech is pulled to within a cosine of 0.9 of one direction, fakes are
    pushed beyond 0.2, and the space between is nobody's.
    """
    truth = torch.where(target > 0.5, logit, -logit)
    return F.softplus(ONE_CLASS_MARGIN - truth)


LOSSES: dict[str, Loss] = {"bce": cross_entropy, "focal": focal, "oc-softmax": one_class}


def check_loss(kind: str) -> None:
    """Check that there is a loss of that name. Raises ValueError."""
    if kind not in LOSSES:
        raise ValueError(f"no loss {kind!r}; there are {', '.join(LOSSES)}")


def contrastive(embedding: Tensor, label: Tensor) -> Tensor:
    """Compute the supervised contrastive loss (Khosla et al., NeurIPS 2020, equation 2) of embeddings (M, D) with
    labels (M,): those of one label near each other on the unit sphere, far from the others. 0 where no label occurs
    twice.
    """
    z = F.normalize(embedding, dim=1)
    others = ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    similar = (z @ z.T / TEMPERATURE).masked_fill(~others, -1e4)  # infinity would make gradients of one row NaN
    log_share = similar - torch.logsumexp(similar, dim=1, keepdim=True)
    same = (label[:, None] == label) & others
    count = same.sum(1)
    each = -torch.where(same, log_share, torch.zeros_like(log_share)).sum(1) / count.clamp(min=1)
    return each.sum() / (count > 0).sum().clamp(min=1)


def margins_of_pairs(gain: Tensor, use: Tensor) -> Tensor:
    """Compute the soft hinge at PAIR_MARGIN (RankNet of Burges et al., ICML 2005, with a margin): the mean where use is
    true, 0 where it is nowhere. gain: nats that a fake scores above its recording.
    """
    return (F.softplus(PAIR_MARGIN - gain) * use).sum() / use.sum().clamp(min=1)
