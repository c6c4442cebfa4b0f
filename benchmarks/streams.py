"""Measure how many real-time streams one core scores, stacked 1, 64 and 256, beside other ways to run the same network.

One thread on one core. A figure is seconds of audio for each second that the core worked, the median of several
rounds in which all variants take turns. Variants:

* step: Pool.step on blocks that are there: network, evidence, decision, traces.
* published: the whole live path: ring, step, events, bus, ZeroMQ sink (to which nobody listens).
* one by one: as many pools of one stream, in a Python loop; what a monitor without stacking would do.
* LSTM alone: torch.nn.LSTM of the network's sizes and nothing else; no monitor with it can be faster.
* silero-vad: a voice-activity detector, which knows speech from silence and nothing of fakes, for comparison.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.common import (
    configuration,
    cores,
    log,
    machine,
    parser,
    pin,
    scorer_of,
    table,
    voice,
    warn_if_busy,
    write,
)
from benchmarks.streams_peers import VAD_SAMPLES, lstm_alone, silero_vad
from model.config import BLOCK, BLOCK_S, SAMPLE_RATE
from monitor.audio import Audio, Blocks, Chunk
from monitor.config.schema import Config
from monitor.delivery.publisher_sockets import PublisherAddresses
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.engine.traces import Traces
from monitor.events.bus import Bus
from monitor.sinks.zeromq import ZeromqSink

STACKED = (1, 64, 256)
LOOP_S = 4.0
WARM_UP = 30
Run = Callable[[float], float]
"""Runs for about so many seconds of processor time; returns streams a core."""


def _blocks(audio: Audio) -> Iterator[Blocks]:
    """Yield blocks of all rows, without end."""
    rows, times = np.arange(len(audio)), np.zeros(len(audio))
    parts = [np.ascontiguousarray(audio[:, at : at + BLOCK]) for at in range(0, audio.shape[1] - BLOCK + 1, BLOCK)]
    end = 0
    while True:
        for samples in parts:
            end += BLOCK
            yield Blocks(rows, samples, np.full(len(rows), end), times)


def _timed(turn: Callable[[], object], streams: int, warm_up: int = WARM_UP, turn_s: float = BLOCK_S) -> Run:
    """Time turn, which scores turn_s of each of the streams."""
    for _ in range(warm_up):
        turn()

    def run(seconds: float) -> float:
        started, turns = time.process_time(), 0
        while (spent := time.process_time() - started) < seconds:
            turn()
            turns += 1
        return streams * turns * turn_s / spent

    return run


def stepped(config: Config, audio: Audio) -> Run:
    pool, blocks = Pool(scorer_of(config, len(audio)), config, Traces(len(audio))), _blocks(audio)
    return _timed(lambda: pool.step(next(blocks)), len(audio))


def one_by_one(config: Config, audio: Audio) -> Run:
    pools = [Pool(scorer_of(config), config, Traces(1)) for _ in audio]
    blocks = [_blocks(row[None]) for row in audio]

    def turn() -> None:
        for pool, own in zip(pools, blocks, strict=True):
            pool.step(next(own))

    return _timed(turn, len(audio), warm_up=1 + WARM_UP // len(audio))


def published(config: Config, audio: Audio) -> Run:
    """Measure streams a core of the live path, block by block: pushed into rings, scored, events published."""
    streams = len(audio)
    blocks = [audio[:, at : at + BLOCK] for at in range(0, audio.shape[1] - BLOCK + 1, BLOCK)]

    def run(seconds: float) -> float:
        sink = ZeromqSink(PublisherAddresses("tcp://127.0.0.1:*"), "benchmark")
        pool = Pool(scorer_of(config, streams), config, Traces(streams))
        with Bus([sink], config.publish.queue_events, "benchmark") as bus:
            engine = Engine(pool, RingBank(streams, config.serve.ring_s), bus, config, serving=True)
            calls = [engine.admit(f"call{i}", "benchmark", ["caller"], {}) for i in range(streams)]
            started, turns = time.process_time(), 0
            while time.process_time() - started < seconds:
                block = blocks[turns % len(blocks)]
                for row, call in enumerate(calls):
                    chunk = Chunk(block[row : row + 1], turns * BLOCK, time.monotonic())
                    call.feeds[0].ring.push(chunk, wait=False)
                engine.begin()
                engine.turn()
                turns += 1
            bus.drain(60.0)
            spent = time.process_time() - started
        return streams * turns * BLOCK_S / spent

    return run


def _peers(config: Config, audio: Audio) -> dict[str, Run]:
    """Return what runs beside the monitor, by name."""
    found = {"LSTM alone": _timed(lstm_alone(config.model.weights, len(audio)), len(audio))}
    if vad := silero_vad(audio):
        found["silero-vad"] = _timed(vad, len(audio), turn_s=VAD_SAMPLES / SAMPLE_RATE)
    return found


def measure(config: Config, seconds: float, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Measure streams a core of each round: {variant: {stacked: [...]}}."""
    audio = np.stack([voice(LOOP_S, seed=i % 8) for i in range(max(STACKED))])
    runs: dict[tuple[str, int], Run] = {}
    for n in STACKED:
        runs["step", n] = stepped(config, audio[:n])
        runs["published", n] = published(config, audio[:n])
        runs["one by one", n] = one_by_one(config, audio[:n])
        runs |= {(name, n): run for name, run in _peers(config, audio[:n]).items()}
    found: dict[str, dict[str, list[float]]] = {variant: {} for variant, _ in runs}
    for i in range(rounds):
        for (variant, n), run in runs.items():
            found[variant].setdefault(str(n), []).append(run(seconds))
        log(f"round {i + 1} of {rounds}")
    return found


def main() -> None:
    options = parser("streams", "Real-time streams that one core scores.")
    options.add_argument("--seconds", type=float, default=1.0, help="of each variant in each round")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    warn_if_busy()
    pin(cores()[-1:])
    config = configuration(given.weights)
    scorer = scorer_of(config)
    found = measure(config, given.seconds, given.rounds)
    medians = {name: {n: statistics.median(x) for n, x in of.items()} for name, of in found.items()}
    rows = [[name, *(f"{of[str(n)]:.0f}" for n in STACKED)] for name, of in medians.items()]
    print(table(["real-time streams a core", *(f"stacked {n}" for n in STACKED)], rows))
    names = {"step": "streams_per_core", "published": "streams_per_core_published"}
    figures: dict[str, Any] = {
        names.get(name, name.replace(" ", "_").replace("-", "_").lower()): {n: round(x, 1) for n, x in of.items()}
        for name, of in medians.items()
    }
    step = found["step"]
    spread = {n: [round(min(x), 1), round(max(x), 1)] for n, x in step.items()}
    ms = {n: round(int(n) * BLOCK_S * 1000 / medians["step"][n], 3) for n in step}
    write(given.out, figures | {"step_ms": ms, "lowest_and_highest": spread, "machine": machine(scorer)})


if __name__ == "__main__":
    main()
