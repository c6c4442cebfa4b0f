"""Networks that have learned, whose mean opinion a network in training learns beside the truth.

Knowledge distillation (Hinton, Vinyals and Dean, 2015): several networks err in different places, their mean errs less
than each, and one network can learn that mean, which costs no more to run than itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model.frontends import NetState
from model.stream import Detector
from training.learn.validation import folded_copy


class Teachers:
    """Hears what the network in training hears, without masks, with carried states of its own."""

    def __init__(self, detectors: Sequence[Detector], student: Detector, device: torch.device) -> None:
        self._alike = [_same_features(detector, student) for detector in detectors]
        self.detectors = [folded_copy(detector).to(device) for detector in detectors]
        self.states: list[NetState] = []

    def mean_logits(self, spectrum: Tensor, features: Tensor, speech: Tensor, keep: Tensor) -> Tensor:
        """Return the mean logit (N, T) of spectra (N, 2 T, BINS). features: (N, 2 T, F), the student's, which teachers
        with the same ones share. speech: bool (N, T). keep: bool (N,), rows that go on.
        """
        ok = torch.ones_like(speech)
        logits, after = [], []
        with torch.no_grad():
            for i, detector in enumerate(self.detectors):
                state = detector.network.init_state(len(keep))
                if self.states:
                    state = carried(state, self.states[i], keep)
                own = features if self._alike[i] else detector.features(spectrum)
                out, new = detector.network.forward(own, ok, state, speech)
                logits.append(out.spoof.float())
                after.append({k: v.float() for k, v in new.items()})
        self.states = after
        return torch.stack(logits).mean(0)


def _same_features(one: Detector, other: Detector) -> bool:
    """Return whether two networks have the same features, on the same scale."""
    ours, theirs = one.features.state_dict(), other.features.state_dict()
    return one.config.features == other.config.features and all(
        torch.equal(ours[name].cpu(), theirs[name].cpu()) for name in ours
    )


def carried(fresh: NetState, before: NetState, keep: Tensor) -> NetState:
    """Return the state before in the rows to keep (N,), a fresh one in the others."""
    return {k: torch.where(keep.view(-1, *[1] * (v.ndim - 1)), before[k], v) for k, v in fresh.items()}
