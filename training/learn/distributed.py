"""Training in several processes that `torchrun` starts, one a GPU: each learns from batches of its own, their gradients
are averaged (DistributedDataParallel; Li et al., PVLDB 13, 2020), and the first one alone looks, speaks and writes.

Without torchrun all of this does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from model.checkpoint import best_device
from training.corpora.work_progress import Log

LONGEST_WAIT = timedelta(hours=12)
"""How long the others wait for the first process: it prepares the speech, and looks at the dev split."""


@dataclass(frozen=True)
class Processes:
    """rank: which of `count` processes this is. local: which of those on this machine."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        return self.rank == 0


def processes() -> Processes:
    """Read the processes from torchrun's environment; one process without it."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if not all(name in os.environ for name in names):
        return Processes()
    return Processes(*(int(os.environ[name]) for name in names))


def own_device(name: str) -> str:
    """Return the device of this process where `name`, or auto, is that of all: a GPU each. Raises ValueError."""
    chosen = best_device(name)
    here = processes()
    if chosen != "cuda" or here.count == 1:
        return chosen
    if here.local >= torch.cuda.device_count():
        raise ValueError(f"process {here.local + 1} of this machine has no GPU: there are {torch.cuda.device_count()}")
    return f"cuda:{here.local}"


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the processes within the context, unless they are: through NCCL on GPUs, gloo elsewhere."""
    if processes().count == 1 or not _alone():
        yield
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=LONGEST_WAIT)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _alone() -> bool:
    return not (distributed.is_available() and distributed.is_initialized())


@contextmanager
def first_goes_ahead() -> Iterator[None]:
    """Run the context in the first process, then in the others, which find its results in the cache."""
    if not _alone() and not processes().first:
        distributed.barrier()
    try:
        yield
    finally:
        if not _alone() and processes().first:
            distributed.barrier()


def wrapped(network: nn.Module) -> nn.Module:
    """Return the network, its gradients averaged over the processes when it is called; all begin with the first's
    weights."""
    return network if _alone() else DistributedDataParallel(network)


def share_weights(module: nn.Module) -> None:
    """Copy all tensors of a module from the first process."""
    if not _alone():
        for tensor in module.state_dict().values():
            distributed.broadcast(tensor, 0)


def share_buffers(module: nn.Module) -> None:
    """Replace the running means that each process has of its own batches by the mean of all."""
    if _alone():
        return
    for buffer in module.buffers():
        if buffer.is_floating_point():
            distributed.all_reduce(buffer)
            buffer.div_(processes().count)


def agreed(value: float) -> float:
    """Return the value that the first process has: clocks differ, and what follows from them must not."""
    if _alone():
        return value
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    held = torch.tensor([value], dtype=torch.float64, device=device)
    distributed.broadcast(held, 0)
    return float(held)


def mean_of(parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """Replace numbers of each process, by name, by their means."""
    if _alone():
        return parts
    held = torch.stack([value.float() for value in parts.values()])
    distributed.all_reduce(held)
    return dict(zip(parts, held / processes().count, strict=True))


def seed_of(seed: int) -> int:
    """Return a seed of this process's own."""
    return seed + 1_000_003 * processes().rank


def first_process_only(log: Log) -> Log:
    """Return `say` in the first process, and nothing in the others."""
    return log if processes().first else lambda _: None
