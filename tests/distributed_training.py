"""A process that torchrun starts: trains networks on a small corpus, one after the other, and writes each down.

python -m torch.distributed.run --nproc-per-node 2 tests/distributed_training.py CORPUS CACHE OUT STEPS NETWORK...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from model.config import DetectorConfig, FeatureConfig, NetworkConfig
from training.baseline import run as baseline
from training.baseline.baseline_settings import BaselineSettings
from training.baseline.learner import BaselineLearner
from training.baseline.run import BaselinePlan
from training.learn import material, prepare
from training.learn.distributed import joined, processes
from training.learn.prepare import TrainingPlan
from training.learn.settings import TrainConfig
from training.learn.trainer import Trainer

HELD: list[Any] = []


def _kept(kind: type) -> type:
    """The same learner, which is still there when the training is over."""

    class Kept(kind):  # type: ignore[valid-type, misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.losses: list[float] = []
            HELD.append(self)

        def step(self) -> Any:
            parts = super().step()
            self.losses.append(float(parts["loss"]))
            return parts

    return Kept


def train(network: str, corpus: Path, cache: Path, out: Path, steps: int) -> None:
    """Train a network, and write what it became and what was said below `out`."""
    HELD.clear()
    result: list[str] = []
    every: Any = {"steps": steps, "minutes": 1e9, "rows": 4, "seconds": 2.0, "validate_every": 5, "patience": 50}
    if network == "seed-bilstm":
        plan = BaselinePlan([corpus], out, cache, 1, "cpu", units=(8, 8))
        baseline.run(BaselineSettings(**every, learning_rate=0.01), plan, result.append)
        states = [HELD[0].network.state_dict()]
    else:
        model = DetectorConfig(
            features=FeatureConfig(n_filters=24),
            network=NetworkConfig(network, channels=(4, 4), embedding=16, hidden=16, dropout=0.2),
        )
        run_plan = TrainingPlan([corpus], out, cache, {}, versions=2, workers=1, device="cpu")
        prepare.run(model, TrainConfig(**every, learning_rate=0.01, warm_up=2), run_plan, result.append)
        states = [HELD[0].detector.state_dict(), HELD[0].average.state_dict()]
    rank = processes().rank
    torch.save(states, out / f"states-{rank}.pt")
    (out / f"result-{rank}.json").write_text(json.dumps({"said": result, "losses": HELD[0].losses}))


def main(corpus: str, cache: str, out: str, steps: str, *networks: str) -> None:
    material.OTHER_SOUNDS_S = 8
    baseline.BaselineLearner = _kept(BaselineLearner)  # type: ignore[misc]
    prepare.train.__globals__["Trainer"] = _kept(Trainer)
    with joined("cpu"):  # once: torch waits for ever where a process joins a second time
        for network in networks:
            train(network, Path(corpus), Path(cache), Path(out) / network, int(steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
