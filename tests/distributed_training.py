"""A process of a training that torchrun starts: trains on a small corpus, then writes down what it has become.

python -m torch.distributed.run --nproc-per-node 2 tests/distributed_training.py NETWORK CORPUS CACHE OUT STEPS
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
from training.learn.distributed import processes
from training.learn.prepare import TrainingPlan
from training.learn.settings import TrainConfig
from training.learn.trainer import Trainer

HELD: list[Any] = []


def _kept(kind: type) -> type:
    """The same learner, which is still there when the training is over."""

    class Kept(kind):  # type: ignore[valid-type, misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.heard: list[float] = []
            HELD.append(self)

        def step(self) -> Any:
            parts = super().step()
            self.heard.append(float(parts["loss"]))
            return parts

    return Kept


def main(network: str, corpus: str, cache: str, out: str, steps: str) -> None:
    material.OTHER_SOUNDS_S = 8
    result: list[str] = []
    every: Any = {"steps": int(steps), "minutes": 1e9, "rows": 4, "seconds": 2.0, "validate_every": 5, "patience": 50}
    if network == "seed-bilstm":
        baseline.BaselineLearner = _kept(BaselineLearner)  # type: ignore[misc]
        plan = BaselinePlan([Path(corpus)], Path(out), Path(cache), 1, "cpu", units=(8, 8))
        baseline.run(BaselineSettings(**every, learning_rate=0.01), plan, result.append)
        states = [HELD[0].network.state_dict()]
    else:
        prepare.train.__globals__["Trainer"] = _kept(Trainer)
        model = DetectorConfig(
            features=FeatureConfig(n_filters=24),
            network=NetworkConfig(network, channels=(4, 4), embedding=16, hidden=16, dropout=0.2),
        )
        run_plan = TrainingPlan([Path(corpus)], Path(out), Path(cache), {}, versions=2, workers=1, device="cpu")
        prepare.run(model, TrainConfig(**every, learning_rate=0.01, warm_up=2), run_plan, result.append)
        states = [HELD[0].detector.state_dict(), HELD[0].average.state_dict()]
    rank = processes().rank
    torch.save(states, Path(out) / f"states-{rank}.pt")
    (Path(out) / f"told-{rank}.json").write_text(json.dumps({"said": result, "heard": HELD[0].heard}))


if __name__ == "__main__":
    main(*sys.argv[1:])
