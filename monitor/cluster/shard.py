"""A shard: scores streams by key, keeps checkpoints of other shards' streams, and decides nothing."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK
from model.figures import FIGURES
from monitor.cluster.messages import Answer, Batch, Description, Ints, Push, Saved, States
from monitor.cluster.state_table import FIRST_ROWS, Slots, StateTable
from monitor.scoring.opening import OpenScorer


class Shard:
    """Belongs to one server. open_scorer: returns a scorer of so many rows."""

    def __init__(self, opening: OpenScorer) -> None:
        self._open = opening
        self._slots = Slots()
        self._scorer = opening(FIRST_ROWS)
        self._slots.grow(FIRST_ROWS)
        self._held = StateTable()
        self._number = 0
        self._answer: Answer | None = None

    def describe(self) -> Description:
        """Return what this shard is."""
        scorer = self._scorer
        facts = scorer.config, scorer.weights_hash, scorer.device, scorer.parameters
        return Description(version("deepfake-speech-monitor"), *facts, platform.node(), os.getpid())

    def push(self, push: Push) -> Answer:
        """Let streams end, take states, and score blocks; a key that is new begins cold.

        The push that was answered last is answered again, and changes nothing. Raises ValueError for one out of turn.
        """
        if push.number == self._number and self._answer is not None:
            return self._answer
        if push.number != self._number + 1:
            raise ValueError(f"push {push.number} after {self._number}")
        self._slots.drop(push.moved)
        self._slots.drop(push.gone)
        self._held.drop(push.gone)
        if len(push.load.keys):
            rows = self._rows(push.load.keys)  # first: it may open a larger scorer
            self._scorer.load(rows, push.load.states)
        self._answer = self._score(push.batch)
        self._number = push.number
        return self._answer

    def save(self, number: int, keys: Ints) -> States:
        """Return the states of those streams, all of which are here, behind the push of that number.

        Raises ValueError where another push was carried out last, or one of them is not here.
        """
        if number != self._number or self._slots.missing(keys):
            raise ValueError(f"states behind push {number} are asked for after {self._number}")
        return self._scorer.save(self._slots.rows(keys))

    def hold(self, keys: Ints, blocks: Ints, states: States) -> None:
        """Keep a checkpoint of another shard's streams, instead of the one before it."""
        self._held.put(keys, blocks, states)

    def held(self, keys: Ints) -> Saved:
        """Return the checkpoints of those streams that are here."""
        return self._held.get(keys)

    def _rows(self, keys: Ints) -> Ints:
        """Return the rows of streams; the new ones are cold."""
        new = self._slots.missing(keys)
        if size := self._slots.lacks(len(new)):
            self._grow(size)
        if new:
            self._scorer.reset(np.sort(self._slots.give(new)))
        return self._slots.rows(keys)

    def _grow(self, size: int) -> None:
        scorer, every = self._open(size), np.arange(self._slots.size)
        scorer.load(every, self._scorer.save(every))
        self._scorer = scorer
        self._slots.grow(size)

    def _score(self, batch: Batch) -> Answer:
        begun, fault = time.perf_counter(), ""
        rows, firsts = self._rows(batch.keys), batch.ends - batch.counts
        width = len(FIGURES) + len(self._scorer.config.families)
        figures = np.full((len(batch.samples), width), np.nan, np.float32)
        for count in np.unique(batch.counts[batch.counts > 0]).tolist():
            some = np.flatnonzero(batch.counts == count)
            some = some[np.argsort(rows[some])]
            places = firsts[some, None] + np.arange(count)
            try:
                figures[places] = self._of_equal_count(rows[some], batch.samples[places])
            except RuntimeError as error:
                fault = str(error).partition("\n")[0] or type(error).__name__
        return Answer(figures, time.perf_counter() - begun, fault)

    def _of_equal_count(self, rows: Ints, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """samples: (M, B, BLOCK). Returns the figures (M, B, ...)."""
        return self._scorer.score(rows, samples.reshape(len(rows), samples.shape[1] * BLOCK))
