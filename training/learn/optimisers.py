"""The optimisers that a training can choose from, all of torch.optim with its own settings but the ones named here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

Build = Callable[..., Optimizer]

OPTIMISERS: dict[str, Build] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
}
"""With adamw the weight decay is apart from the gradient (Loshchilov and Hutter, 2019); with the others it is added to
it. sgd: with Nesterov's momentum of 0.9.
"""


def build_optimiser(name: str, parameters: Iterable[nn.Parameter], rate: float, weight_decay: float) -> Optimizer:
    """Return an optimiser that lets matrices decay, and biases and norms not. Raises ValueError for a name it has
    not."""
    check_optimiser(name)
    held = list(parameters)
    groups: list[dict[str, Any]] = [
        {"params": [p for p in held if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in held if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return OPTIMISERS[name](groups, lr=rate)


def check_optimiser(name: str) -> None:
    """Check that there is an optimiser of that name. Raises ValueError."""
    if name not in OPTIMISERS:
        raise ValueError(f"no optimiser {name!r}; there are {', '.join(OPTIMISERS)}")
