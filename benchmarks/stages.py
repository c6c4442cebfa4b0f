"""Measures the processor time of a block by stage, for 1 to 1024 streams scored together, all speaking.

Each stage is timed by a clock around its functions; "rest" is what stands between them, such as the copies of states.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.common import configuration, cores, machine, parser, pin, scorer_of, table, voice, warn_if_busy, write
from model.config import BLOCK
from monitor.audio import Blocks
from monitor.engine.pool import Pool
from monitor.scoring import onnx_network, onnx_scorer

STREAMS = (1, 8, 64, 256, 1024)
TURNS, WARM_UP = 60, 15
STAGES = {
    "clean": "clean samples, find lost ones",
    "spectra": "spectra (FFT)",
    "power_of": "power",
    "gate": "gate: silence, tones, DTMF",
    "run": "network: features, convolutions, LSTM, heads",
    "bandwidth": "bandwidth",
    "decide_states": "evidence and decision",
}


def timer(function: Callable[..., Any], name: str, spent: defaultdict[str, float]) -> Callable[..., Any]:
    """Return the function, whose time is added to `spent`."""

    def timed(*inputs: Any) -> Any:
        started = time.process_time()
        try:
            return function(*inputs)
        finally:
            spent[name] += time.process_time() - started

    return timed


def stages(weights: str, streams: int) -> dict[str, float]:
    """Return microseconds of processor time a block and stream, of each stage and of all."""
    config = configuration(weights)
    pool, spent = Pool(scorer_of(config, streams), config), defaultdict[str, float](float)
    kept = {name: getattr(onnx_scorer, name) for name in STAGES if hasattr(onnx_scorer, name)}
    run = onnx_network.OnnxNetwork.run
    for name, function in kept.items():
        setattr(onnx_scorer, name, timer(function, name, spent))
    onnx_network.OnnxNetwork.run = timer(run, "run", spent)  # type: ignore[method-assign]
    pool.decide_states = timer(pool.decide_states, "decide_states", spent)  # type: ignore[method-assign]
    loud = voice(8.0)
    blocks = loud[: loud.size // BLOCK * BLOCK].reshape(-1, BLOCK)
    blocks = blocks[np.square(blocks).mean(1) > np.percentile(np.square(blocks).mean(1), 45)]
    rows, turns = np.arange(streams), TURNS if streams > 8 else 10 * TURNS
    for turn in range(turns + WARM_UP):
        if turn == WARM_UP:
            spent.clear()
            started = time.process_time()
        samples = blocks[(turn + rows) % len(blocks)]
        pool.step(Blocks(rows, samples, np.full(streams, (turn + 1) * BLOCK), np.zeros(streams)))
    spent["all"] = time.process_time() - started
    for name, function in kept.items():
        setattr(onnx_scorer, name, function)
    onnx_network.OnnxNetwork.run = run  # type: ignore[method-assign]
    spent["rest"] = spent["all"] - sum(spent[name] for name in STAGES)
    return {name: 1e6 * spent[name] / turns / streams for name in (*STAGES, "rest", "all")}


def main() -> None:
    given = parser("stages", "Where the processor time of a block goes.").parse_args()
    warn_if_busy()
    pin(cores()[-1:])
    found = {str(streams): stages(given.weights, streams) for streams in STREAMS}
    rows = [
        [STAGES.get(name, name), *(f"{of[name]:.1f}" for of in found.values())] for name in (*STAGES, "rest", "all")
    ]
    print(table(["us a block and stream", *(f"{streams} streams" for streams in STREAMS)], rows))
    write(given.out, {"us_a_block": found, "machine": machine(scorer_of(configuration(given.weights)))})


if __name__ == "__main__":
    main()
