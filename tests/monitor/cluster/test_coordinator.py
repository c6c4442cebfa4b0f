"""Whatever happens to shards, what is said of a stream is what one process would say of it, to the bit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from helpers import make_detector, voice
from local_host import LocalHost, process_of

from model.config import BLOCK
from model.export.step import network_graph
from monitor.audio import Runs
from monitor.cluster import members, spares
from monitor.cluster.cluster_scorer import ClusterScorer
from monitor.cluster.coordinator import Coordinator
from monitor.cluster.jobs import Jobs
from monitor.cluster.shard import Shard
from monitor.config.cluster import ClusterSection
from monitor.engine.ring_bank import RingBank
from monitor.scoring.onnx_network import OnnxNetworks
from monitor.scoring.onnx_scorer import OnnxScorer

ROWS = 12
DETECTOR = make_detector("hiss")
GRAPHS = [network_graph(DETECTOR, single=single) for single in (True, False)]
QUICK = {"send_ms": 20, "checkpoint_s": 0.2, "answer_s": 0.5, "spares": 0}


@cache
def audio() -> np.ndarray:
    """What the rows hear: float32 (ROWS, n), not to write to."""
    return np.stack([voice(8.0, hiss=row % 2 == 1, seed=row + 1) for row in range(ROWS)])


def scorer(rows: int) -> OnnxScorer:
    return OnnxScorer(OnnxNetworks(*GRAPHS, "a test's network"), rows, recorded=True)


class Cluster:
    """A scorer on shards beside one without them, both of which get the same audio."""

    def __init__(self, shards: int, **settings: Any) -> None:
        self.host = LocalHost(lambda: Shard(scorer))
        self.coordinator = Coordinator(self.host, ClusterSection(**QUICK | settings), ROWS)
        self.notices = self.coordinator.notices
        self.coordinator.want(shards)
        self.until(lambda: all(link.works for link in self.coordinator.links))
        first = self.coordinator.members.first
        assert first is not None
        self.clustered, self.plain = ClusterScorer(self.coordinator, first, ROWS), scorer(ROWS)
        self.at = np.zeros(ROWS, np.int64)
        self.begin(np.arange(ROWS))

    def begin(self, rows: np.ndarray) -> None:
        for row in rows.tolist():
            self.coordinator.place(np.array([row]), f"call {row} from {self.at[row]}")
        self.clustered.reset(rows)
        self.plain.reset(rows)

    def check(self, rows: np.ndarray, blocks: int) -> None:
        samples = np.stack([audio()[r, a : a + blocks * BLOCK] for r, a in zip(rows, self.at[rows], strict=True)])
        self.at[rows] += blocks * BLOCK
        expected = self.plain.score(rows, samples.copy())
        assert np.array_equal(self.clustered.score(rows, samples), expected)

    def until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < until, self.notices
            self.coordinator.send(Nothing(), time.monotonic())
            assert not self.coordinator.collect(0.005)

    def settled(self) -> bool:
        streams = self.coordinator.streams
        return not streams.waits.any() and (streams.shard[streams.key > 0] >= 0).all()

    def noticed(self) -> bool:
        """Return whether no shard is used any more at which something is wrong."""
        return not any(link.handle is not None and link.handle.fault for link in self.coordinator.links)

    def safe(self) -> bool:
        """Return whether a further loss costs nothing: every stream has a checkpoint."""
        streams = self.coordinator.streams
        begun = streams.sent > 0
        return self.settled() and bool((streams.holder[begun] != -1).all())


class Nothing:
    def take_waiting(self, rows: np.ndarray, most: int) -> Runs:
        return RingBank(ROWS, 1.0).take_waiting(rows, most)


EVERY = np.arange(ROWS)


@pytest.fixture(autouse=True)
def replaced_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "AFTER_S", 0.0)


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_figures_equal_those_of_one_process(shards: int) -> None:
    cluster = Cluster(shards)
    for blocks in (1, 5, 4, 6, 40, 2):
        cluster.check(EVERY, blocks)
    cluster.check(np.array([1, 4, 5]), 3)
    cluster.check(EVERY, 7)


def test_calls_are_spread_over_the_shards_by_their_names() -> None:
    cluster, again = Cluster(3), Cluster(3)
    places = cluster.coordinator.streams.shard
    assert set(places.tolist()) == {0, 1, 2}
    assert np.array_equal(places, again.coordinator.streams.shard)


@pytest.mark.parametrize("fault", ["lost", "silent", "unreachable"])
def test_a_shard_that_is_lost_is_replaced_and_nothing_is_lost_with_it(fault: str) -> None:
    cluster = Cluster(2)
    cluster.check(EVERY, 20)
    time.sleep(0.3)
    cluster.check(EVERY, 7)
    process_of(cluster.coordinator, "shard-1").fault = fault
    cluster.check(EVERY, 5)
    assert "shard lost" in [code for code, _ in cluster.notices]
    cluster.check(EVERY, 5)
    cluster.until(lambda: all(link.works for link in cluster.coordinator.links) and cluster.settled())
    cluster.check(EVERY, 5)
    assert "audio skipped" not in [code for code, _ in cluster.notices]


def test_a_push_whose_answer_is_lost_is_sent_again_and_changes_nothing() -> None:
    cluster = Cluster(2)
    cluster.check(EVERY, 20)
    shard = process_of(cluster.coordinator, "shard-1")
    shard.fault = "broken"
    before = len(shard.calls)
    cluster.coordinator.links[0].due = 0.0
    broken_until = time.monotonic() + 0.15

    def mend() -> None:
        if time.monotonic() > broken_until:
            shard.fault = ""

    collect = cluster.coordinator.collect

    def collect_and_mend(timeout_s: float) -> Any:
        mend()
        return collect(timeout_s)

    cluster.coordinator.collect = collect_and_mend  # type: ignore[method-assign]
    cluster.check(EVERY, 5)
    assert shard.calls[before:].count("push") >= 2
    assert "shard lost" not in [code for code, _ in cluster.notices]


def test_the_only_shard_is_lost_and_calls_go_on_from_checkpoints_here() -> None:
    cluster = Cluster(1)
    for _ in range(4):
        cluster.check(EVERY, 10)
        time.sleep(0.1)
    process_of(cluster.coordinator, "shard-1").fault = "lost"
    cluster.check(EVERY, 5)
    assert "audio skipped" not in [code for code, _ in cluster.notices]


def test_a_spare_stands_in_for_a_lost_shard_at_once() -> None:
    cluster = Cluster(2, spares=1)
    cluster.check(EVERY, 20)
    cluster.until(lambda: cluster.coordinator.members.spares.ready == 1)
    places = cluster.coordinator.streams.shard.copy()
    cluster.until(cluster.safe)
    spare = cluster.host.shards[-1]
    process_of(cluster.coordinator, "shard-1").fault = "lost"
    cluster.check(EVERY, 5)
    assert process_of(cluster.coordinator, "shard-1") is spare
    assert np.array_equal(cluster.coordinator.streams.shard, places)
    assert [code for code, _ in cluster.notices if code.startswith("audio")] == []


def test_a_spare_is_started_once_no_shard_is_late_and_soon_in_any_case() -> None:
    for now, calm, started in (
        (103.0, True, 0),
        (104.0, False, 0),
        (104.0, True, 1),
        (104.0 + spares.LATEST_S, False, 1),
    ):
        host = LocalHost(lambda: Shard(scorer))
        made = spares.Spares(host, Jobs(host), 1)
        made.wait_until(104.0)
        made.check(now, calm=calm)
        assert len(host.shards) == started


def test_a_shard_is_late_until_streams_of_another_have_caught_up() -> None:
    cluster = Cluster(2)
    cluster.check(EVERY, 20)
    lost, other = cluster.coordinator.links
    assert not other.is_late
    process_of(cluster.coordinator, lost.name).fault = "lost"
    cluster.coordinator.members.lose(lost, "its process is gone")
    cluster.coordinator.recovery.resume_unassigned()
    cluster.coordinator.collect(0.0)
    assert other.is_late
    assert not other.has_room(1.0)
    cluster.check(EVERY, 5)
    cluster.until(cluster.settled)
    assert not other.is_late


def test_a_spare_that_is_lost_is_no_fault_of_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spares, "ASK_S", 0.0)
    cluster = Cluster(1, spares=1)
    cluster.check(EVERY, 5)
    cluster.until(lambda: cluster.coordinator.members.spares.ready == 1)
    cluster.host.shards[-1].fault = "lost"
    cluster.until(lambda: cluster.coordinator.members.spares.ready == 0)
    cluster.check(EVERY, 5)
    assert [code for code, _ in cluster.notices] == ["shard joined"]
    assert cluster.coordinator.faults() == []


def test_shards_join_and_leave_while_calls_run() -> None:
    cluster = Cluster(1)
    for shards in (3, 2, 4, 1, 2):
        cluster.coordinator.want(shards)
        cluster.check(EVERY, 9)
        there = [link for link in cluster.coordinator.links if link.wanted]
        cluster.until(
            lambda there=there: (
                all(link.works for link in there)
                and sum(link.works for link in cluster.coordinator.links) == len(there)
                and cluster.settled()
            )
        )
        cluster.check(EVERY, 4)
        assert sum(shard.fault != "lost" for shard in cluster.host.shards) == shards
    assert "audio skipped" not in [code for code, _ in cluster.notices]
    assert "shard lost" not in [code for code, _ in cluster.notices]


def test_a_named_shard_leaves_and_another_takes_its_place() -> None:
    cluster = Cluster(2)
    cluster.coordinator.want(2, leaving=("shard-1",))
    cluster.check(EVERY, 9)
    cluster.until(lambda: [link.name for link in cluster.coordinator.links if link.works] == ["shard-2", "shard-3"])
    cluster.check(EVERY, 9)


def test_a_cluster_without_room_works_with_the_shards_that_it_has() -> None:
    cluster = Cluster(2)
    cluster.host.room = 2
    cluster.coordinator.want(3)
    cluster.check(EVERY, 9)
    assert [link.state.value for link in cluster.coordinator.links] == ["up", "up", "starting"]
    assert cluster.coordinator.faults() == ["shard-3: starting"]


def test_streams_that_end_are_forgotten_everywhere() -> None:
    cluster = Cluster(2)
    for _ in range(5):
        cluster.check(EVERY, 5)
        cluster.begin(EVERY)
        time.sleep(0.1)
    cluster.check(EVERY, 5)
    time.sleep(0.3)
    cluster.check(EVERY, 5)
    for shard in cluster.host.shards:
        assert len(shard.shard._slots) <= ROWS
        assert len(shard.shard._held) <= ROWS
    assert cluster.coordinator.checkpoints.sent.blocks <= 12 * ROWS


def test_audio_that_takes_down_shard_after_shard_costs_its_own_stream_alone() -> None:
    cluster = Cluster(2)
    cluster.check(EVERY, 10)
    cluster.host.kills = lambda push: bool(np.isinf(push.batch.samples).any())
    figures = cluster.clustered.score(np.array([3]), np.full((1, BLOCK), np.inf, np.float32))
    assert np.isnan(figures).all()
    assert [detail for code, detail in cluster.notices if code == "audio skipped"] == [
        "1 streams begin anew: every shard that had them was lost"
    ]
    cluster.check(np.setdiff1d(EVERY, [3]), 5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_figures_stay_equal_whatever_happens(seed: int) -> None:
    rng = random.Random(seed)
    cluster = Cluster(rng.randint(1, 3), spares=rng.randint(0, 1))
    wanted = len(cluster.coordinator.links)
    for _ in range(25):
        what = rng.choice(["lost", "silent", "broken", "shards", "begin", "pause", "nothing"])
        alive = [shard for shard in cluster.host.shards if not shard.fault]
        if what in ("lost", "silent", "broken") and alive:
            rng.choice(alive).fault = what
        elif what == "shards":
            cluster.coordinator.want(wanted := rng.randint(1, 4))
        elif what == "begin":
            cluster.begin(np.array(sorted(rng.sample(range(ROWS), 4))))
        elif what == "pause":
            time.sleep(0.25)
        rows = np.array(sorted(rng.sample(range(ROWS), rng.randint(1, ROWS))))
        cluster.check(rows, rng.randint(1, 12))
        if what in ("lost", "silent", "broken"):
            cluster.until(lambda: cluster.noticed() and cluster.safe())
    cluster.until(cluster.settled)
    cluster.check(EVERY, 5)
    assert wanted
    assert "audio skipped" not in [code for code, _ in cluster.notices]
