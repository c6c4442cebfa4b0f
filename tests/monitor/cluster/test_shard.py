"""A shard scores streams by key; how many it has is bounded by memory alone."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from helpers import make_detector, make_scorer, voice
from numpy.typing import NDArray

from model.config import BLOCK
from monitor.cluster.messages import Batch, Ints, Push, Saved, States
from monitor.cluster.shard import Shard
from monitor.cluster.shard_process import LOWEST, ShardProcess
from monitor.cluster.state_table import FIRST_ROWS
from monitor.config.schema import ModelSection
from monitor.scoring import opening
from monitor.scoring.scorer import StatefulScorer

STREAMS, BLOCKS = FIRST_ROWS, 3
NOBODY = np.zeros(0, np.int64)


def scorer(rows: int) -> StatefulScorer:
    return make_scorer(make_detector("hiss", True), rows)


def push(number: int, keys: Ints, at: int, states: States | None = None) -> Push:
    """Blocks of streams, all of them or the first ones, that differ by stream and go on from one push to the next."""
    audio = np.stack([np.roll(voice(1.0, hiss=True), -997 * key) for key in keys.tolist()])
    blocks = audio[:, at * BLOCK : (at + BLOCKS) * BLOCK].reshape(-1, BLOCK).astype(np.float32)
    counts = np.full(len(keys), BLOCKS, np.int64)
    load = Saved(keys, counts * at // BLOCKS, states) if states else Saved(NOBODY, NOBODY, {})
    return Push(number, NOBODY, NOBODY, load, Batch(keys, counts, blocks))


def undisturbed(keys: Ints) -> NDArray[np.float32]:
    """The figures of the second push of streams in a shard of their own."""
    shard = Shard(scorer)
    shard.push(push(1, keys, 0))
    return shard.push(push(2, keys, BLOCKS)).figures


def test_streams_of_a_lost_shard_go_on_in_one_that_has_no_row_free() -> None:
    own, others = np.arange(STREAMS), np.arange(STREAMS, 2 * STREAMS)
    lost, left = Shard(scorer), Shard(scorer)
    lost.push(push(1, others, 0))
    left.push(push(1, own, 0))
    found = left.push(push(2, others, BLOCKS, lost.save(1, others))).figures
    np.testing.assert_array_equal(found, undisturbed(others))
    np.testing.assert_array_equal(left.push(push(3, own, BLOCKS)).figures, undisturbed(own))


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no priority of its own")
def test_a_process_loads_at_the_lowest_priority_and_scores_at_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own, seen, scorers = os.getpriority(os.PRIO_PROCESS, 0), list[int](), opening.scorers

    def noted(section: ModelSection, *, recorded: bool = False) -> opening.OpenScorer:
        seen.append(os.getpriority(os.PRIO_PROCESS, 0))
        return scorers(section, recorded=recorded)

    monkeypatch.setattr(opening, "scorers", noted)
    process = ShardProcess(ModelSection(device="cpu").model_dump())
    assert seen == [LOWEST]
    assert os.getpriority(os.PRIO_PROCESS, 0) == own
    assert np.isfinite(process.push(push(1, np.arange(3), 0)).figures).all()
