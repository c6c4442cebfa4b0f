"""Measures what a stream costs a shard and an edge, measured in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.common import configuration, log, scorer_of, voice
from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Chunk
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.events.bus import Bus
from monitor.events.wire import encode
from monitor.rtp.encode import encode as encode_rtp
from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import PayloadFormat
from monitor.rtp.rtp_stream import RtpStream
from monitor.rtp.together import give_together
from monitor.scoring.scorer import Figures, StatefulScorer
from monitor.sinks.memory import MemorySink
from monitor.sinks.registry import open_sinks

STREAMS, BLOCKS, AT_ONCE, PACKETS, PACKETS_AT_ONCE = 256, 200, 5, 90, 3


@dataclass(frozen=True)
class StreamCosts:
    """Microseconds of processor time for a block of 20 ms of a stream, of a shard and of an edge, and of the latter the
    part that decodes RTP. Bytes of a block of audio on its way, of its figures on the way back, of a checkpoint of a
    stream, and of a score event.
    """

    shard_us: float
    edge_us: float
    rtp_us: float
    block_bytes: float
    figure_bytes: float
    state_bytes: float
    event_bytes: float


def measure(weights: str) -> StreamCosts:
    """Measure them; takes about half a minute. Raises WeightsError."""
    config = configuration(weights, zeromq={"address": "tcp://127.0.0.1:*"})
    scorer = scorer_of(config, STREAMS)
    shard_us, figures = _shard(scorer)
    log(f"a shard: {shard_us:.0f} us a block")
    rtp_us = _rtp()
    log(f"RTP: {rtp_us:.0f} us a packet")
    engine_us, event_bytes = _engine(config, scorer, figures)
    log(f"evidence, decision, events: {engine_us:.0f} us a block")
    state = sum(values.nbytes for values in scorer.save(np.arange(1)).values())
    return StreamCosts(shard_us, rtp_us + engine_us, rtp_us, 4 * BLOCK, figures[0, 0].nbytes, state, event_bytes)


def _timed(work: Callable[[], object], times: int) -> float:
    """Return microseconds of processor time of one of so many."""
    started = time.process_time()
    work()
    return (time.process_time() - started) / times * 1e6


def _shard(scorer: StatefulScorer) -> tuple[float, Figures]:
    """Measure a shard whose streams all speak; blocks come five at once, as in a message every 100 ms."""
    rows, audio = np.arange(STREAMS), voice(BLOCKS * BLOCK / SAMPLE_RATE + 1)
    shifted = np.stack([np.roll(audio, -row * 997) for row in range(STREAMS)])
    found = []

    def work() -> None:
        for turn in range(BLOCKS // AT_ONCE):
            at = turn * AT_ONCE * BLOCK
            found.append(scorer.score(rows, shifted[:, at : at + AT_ONCE * BLOCK]))

    work()
    return _timed(work, STREAMS * BLOCKS), found[-1]


def _rtp() -> float:
    """Measure streams of G.711 of which three packets each come at once, and all are decoded together, as the listener
    does.
    """
    form = PayloadFormat("PCMU", 8000)
    payloads = encode_rtp(form, voice(PACKETS * 0.02), 20.0)
    streams = [RtpStream({0: form}) for _ in range(STREAMS)]

    def work() -> None:
        for i, payload in enumerate(payloads):
            for stream in streams:
                stream.order.hold(RtpPacket(0, False, i & 0xFFFF, i * 160, 1, payload), i * 0.02)
            if i % PACKETS_AT_ONCE == PACKETS_AT_ONCE - 1:
                give_together(streams)

    return _timed(work, STREAMS * len(payloads))


def _engine(config: Config, scorer: StatefulScorer, figures: Figures) -> tuple[float, float]:
    """Measure an edge without its taps and its scorer, which gives the same figures at once."""
    scorer.score = lambda rows, _: figures[: len(rows), -1:]  # type: ignore[method-assign, assignment]
    scores = MemorySink()
    with Bus([*open_sinks(config, "epoch"), scores], 20_000, "epoch") as bus:
        engine = Engine(Pool(scorer, config), RingBank(STREAMS, 2.0), bus, config, serving=True)
        calls = [engine.admit(f"call{i}", "benchmark", ["caller"], {}) for i in range(STREAMS)]
        audio = voice(1.0)[None, :BLOCK]

        def work() -> None:
            for turn in range(BLOCKS):
                for call in calls:
                    call.feeds[0].ring.push(Chunk(audio, turn * BLOCK, time.monotonic()), wait=False)
                engine.begin()
                engine.turn()
            bus.drain(60.0)

        took = _timed(work, STREAMS * BLOCKS)
    sizes = [len(encode(event)) for event in scores.events if event.type == "score"]
    return took, float(np.mean(sizes))
