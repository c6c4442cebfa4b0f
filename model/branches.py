"""Several networks side by side as one: it says the mean of what they say.

Networks that were trained apart err on other speech, and their mean errs less than each (Hansen and Salamon, 1990). All
their heads are linear, so that the mean of the heads is one head over all embeddings: model.network.Network holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from model.frontends import ConvFrontend, FactoredFrontend, JoinedFrontend, NetState, PairFrontend


def _of(state: Mapping[str, Tensor], branch: int) -> NetState:
    prefix = f"branch{branch}."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _under(state: Mapping[str, Tensor], branch: int) -> NetState:
    return {f"branch{branch}.{k}": v for k, v in state.items()}


class BranchedFrontend(nn.Module):
    """Features (N, 2 T, F) -> (N, T, sum of embeddings). Each branch hears them in the scaling that it learned with."""

    scale: Tensor
    shift: Tensor

    def __init__(
        self, branches: Sequence[ConvFrontend | FactoredFrontend | PairFrontend | JoinedFrontend], size: int
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.sizes = [branch.size_out for branch in branches]
        self.size_out = sum(self.sizes)
        self.register_buffer("scale", torch.ones(len(branches), size))
        self.register_buffer("shift", torch.zeros(len(branches), size))

    def init_state(self, batch: int, device: torch.device) -> NetState:
        state: NetState = {}
        for i, branch in enumerate(self.branches):
            state |= _under(branch.init_state(batch, device), i)  # type: ignore[operator]
        return state

    def forward(self, x: Tensor, state: NetState) -> tuple[Tensor, NetState]:
        mapped: list[Tensor] = []
        new: NetState = {}
        for i, branch in enumerate(self.branches):
            z, after = branch(x * self.scale[i] + self.shift[i], _of(state, i))
            mapped.append(z)
            new |= _under(after, i)
        return torch.cat(mapped, dim=2), new

    def fold(self) -> None:
        for branch in self.branches:
            branch.fold()  # type: ignore[operator]


class BranchedRecurrent(nn.Module):
    """The recurrent parts of the branches over (N, T, sum of their embeddings): (N, T, sum of their outputs)."""

    def __init__(self, branches: Sequence[nn.Module], sizes: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.sizes = list(sizes)
        self.size_out = sum(int(branch.size_out) for branch in branches)  # type: ignore[arg-type, misc]

    def init_state(self, batch: int, device: torch.device) -> NetState:
        state: NetState = {}
        for i, branch in enumerate(self.branches):
            state |= _under(branch.init_state(batch, device), i)  # type: ignore[operator]
        return state

    def forward(self, x: Tensor, active: Tensor, state: NetState) -> tuple[Tensor, NetState]:
        outputs: list[Tensor] = []
        new: NetState = {}
        for i, (branch, z) in enumerate(zip(self.branches, torch.split(x, self.sizes, dim=2), strict=True)):
            y, after = branch(z, active, _of(state, i))
            outputs.append(y)
            new |= _under(after, i)
        return torch.cat(outputs, dim=2), new
