"""Scores recordings side by side, through the same steps as a live call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.config import BLOCK, BLOCK_S, SAMPLE_RATE
from monitor.audio import Chunk
from monitor.config.schema import Config
from monitor.engine.decision import ALERT, CLEAR, LISTENING, STATES, SUSPICIOUS, UNKNOWN
from monitor.engine.event_data import families
from monitor.engine.pool import Pool, Results
from monitor.engine.ring import Ring, RingBank
from monitor.errors import BadInputError
from monitor.session.setup import open_detector
from monitor.sources.recording import FileSource
from monitor.types import Condition

ROWS = 32
READ_MS = 500
SEVERITY = (UNKNOWN, LISTENING, CLEAR, SUSPICIOUS, ALERT)


OnDone = Callable[[Path, Sequence[str], Sequence[Sequence[float]]], None]


@dataclass
class _Playing:
    """A file that is being scored, on its rows."""

    path: Path
    source: FileSource
    ring: Ring
    items: Iterator[Chunk | Condition]
    worst: list[int] = field(default_factory=list)
    done: bool = False
    votes: list[list[float]] = field(default_factory=list)
    """Of each channel, where they are kept: the llr of every block that counted towards a verdict."""


class Scorer:
    """Scores files side by side: what they share is the stacked step, nothing else.

    on_done: takes the path of each file that has ended, the names of its channels, and the llr of all their blocks that
    counted towards a verdict.
    """

    def __init__(self, config: Config, on_done: OnDone | None = None) -> None:
        self.config, self._on_done = config, on_done
        rows = max(ROWS, config.input.max_channels)
        self.pool = Pool(open_detector(config.model), config, rows)
        self.bank = RingBank(rows, 2.0)
        self.playing: list[_Playing] = []

    def run(self, files: Sequence[Path]) -> Iterator[tuple[Path, list[dict[str, object]] | None]]:
        """Yield each path with its lines, or with None where it could not be read; in the order in which they end."""
        waiting = list(reversed(files))
        while waiting or self.playing:
            while waiting and (started := self._start(waiting[-1])) is not False:
                path = waiting.pop()
                if started is None:
                    yield path, None
            self._advance()
            for file in [f for f in self.playing if f.done]:
                self.playing.remove(file)
                yield file.path, self._lines(file)
                self.bank.release(file.ring)

    def _free(self, channels: int) -> int | None:
        """First row of a free stretch."""
        used = {row for f in self.playing for row in range(f.ring.rows.start, f.ring.rows.stop)}
        for first in range(self.pool.rows - channels + 1):
            if not used.intersection(range(first, first + channels)):
                return first
        return None

    def _start(self, path: Path) -> bool | None:
        """Open a file. False: no room yet. None: it cannot be played, and that was said."""
        if self._free(self.config.input.max_channels) is None:
            return False
        try:
            source = FileSource(path, None, None, read_ms=READ_MS, max_channels=self.config.input.max_channels)
        except BadInputError as error:
            print(f"error: {error.message}\n  {error.hint}", file=sys.stderr, flush=True)
            return None
        first = self._free(len(source.channels))
        assert first is not None
        ring = self.bank.open(first, len(source.channels))
        self.pool.open(ring.rows)
        file = _Playing(path, source, ring, source.chunks(), [UNKNOWN] * len(source.channels))
        file.votes = [[] for _ in source.channels]
        self.playing.append(file)
        return True

    def _advance(self) -> None:
        """Read on where a ring is short, then score a block of every file that has one."""
        for file in self.playing:
            while file.ring.fill < BLOCK and not file.ring.closed:
                item = next(file.items, None)
                if item is None:
                    file.ring.finish()
                elif isinstance(item, Chunk):
                    file.ring.push(item, wait=True)
                else:
                    print(f"{file.path}: {item.code}: {item.detail}", file=sys.stderr, flush=True)
        blocks = self.bank.take(0.0)
        if blocks is not None:
            results = self.pool.step(blocks)
            if self._on_done is not None:
                self._keep(results)
        state = self.pool.decision.state
        for file in self.playing:
            rows = range(file.ring.rows.start, file.ring.rows.stop)
            file.worst = [max(w, int(state[r]), key=SEVERITY.index) for w, r in zip(file.worst, rows, strict=True)]
            file.done = file.ring.closed and file.ring.fill < BLOCK

    def _keep(self, results: Results) -> None:
        votes = results.votes
        llr = dict(zip(results.rows[votes].tolist(), results.llr[votes].tolist(), strict=True))
        for file in self.playing:
            for row, kept in enumerate(file.votes, file.ring.rows.start):
                if row in llr:
                    kept.append(llr[row])

    def _lines(self, file: _Playing) -> list[dict[str, object]]:
        llr, p_fake = self.pool.whole(file.ring.rows)
        lines: list[dict[str, object]] = []
        for i, name in enumerate(file.source.channels):
            row = file.ring.rows.start + i
            line = {
                "path": str(file.path),
                "channel": name,
                "p_fake": round(float(p_fake[i]), 6),
                "llr": round(float(llr[i]), 5),
                "net_speech_s": round(float(self.pool.evidence.blocks[row]) * BLOCK_S, 2),
                "state": self._state(file.worst[i], row),
                "families": families(self.pool, row, whole=True),
                "duration_s": round(file.ring.written / SAMPLE_RATE, 3),
            }
            lines.append(line)
        file.source.close()
        if self._on_done is not None:
            self._on_done(file.path, file.source.channels, file.votes)
        return lines

    def _state(self, worst: int, row: int) -> str:
        """The gravest verdict on the way; without any, whether there was too little speech or none."""
        if worst == LISTENING and not self.pool.evidence.blocks[row]:
            worst = UNKNOWN
        return STATES[worst].value
