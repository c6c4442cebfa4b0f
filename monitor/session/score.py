"""Scores recordings side by side, through the same steps as a live call."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

from model.config import BLOCK, BLOCK_S, SAMPLE_RATE
from monitor.audio import Chunk, Source
from monitor.captures.records import is_capture
from monitor.config.schema import Config
from monitor.engine.decision import ALERT, CLEAR, LISTENING, STATES, SUSPICIOUS, UNKNOWN
from monitor.engine.event_data import families
from monitor.engine.pool import Pool, Results
from monitor.engine.ring import Ring, RingBank
from monitor.errors import BadInputError
from monitor.session.setup import open_detector
from monitor.sources.capture_file import Capture, CaptureSource
from monitor.sources.pcm_reader import PcmFormat
from monitor.sources.raw_formats import CodecFormat
from monitor.sources.recording import FileSource
from monitor.taps.rtp.listener import read_formats
from monitor.types import Condition

ROWS = 32
READ_MS = 500
SEVERITY = (UNKNOWN, LISTENING, CLEAR, SUSPICIOUS, ALERT)


OnDone = Callable[[Path, Sequence[str], Sequence[Sequence[float]]], None]


Lines = list[dict[str, object]]


@dataclass(frozen=True)
class _Waiting:
    """A recording, or a call of a capture, that is to be scored. call: its name, "" for a recording. part: of how many
    of its file it is which, from 0.
    """

    path: Path
    open: Callable[[], Source]
    call: str = ""
    part: int = 0
    parts: int = 1


@dataclass
class _Playing:
    """One that is being scored, on its rows."""

    waiting: _Waiting
    source: Source
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

    def __init__(
        self,
        config: Config,
        on_done: OnDone | None = None,
        *,
        track: int | None = None,
        raw: PcmFormat | CodecFormat | None = None,
    ) -> None:
        self.config, self._on_done, self._track, self._raw = config, on_done, track, raw
        rows = max(ROWS, config.input.max_channels)
        self.pool = Pool(open_detector(config.model), config, rows)
        self.bank = RingBank(rows, 2.0)
        self.playing: list[_Playing] = []
        self._captures: dict[Path, Capture] = {}

    def run(self, files: Sequence[Path]) -> Iterator[tuple[Path, Lines | None]]:
        """Yield each path with its lines, or with None where it could not be read; in the order in which they end."""
        paths, ready = deque(files), deque[_Waiting]()
        lines: dict[Path, dict[int, Lines]] = {}
        failed: set[Path] = set()
        while paths or ready or self.playing:
            while (paths or ready) and self._free(self.config.input.max_channels) is not None:
                if not ready:
                    ready += self._parts(paths.popleft())
                    lines[ready[0].path] = {}
                waiting = ready.popleft()
                if not self._start(waiting):
                    failed.add(waiting.path)
                    yield from self._ended(waiting, [], lines, failed)
            self._advance()
            for file in [f for f in self.playing if f.done]:
                self.playing.remove(file)
                found = self._lines(file)
                self.bank.release(file.ring)
                yield from self._ended(file.waiting, found, lines, failed)

    def _ended(
        self, waiting: _Waiting, found: Lines, lines: dict[Path, dict[int, Lines]], failed: set[Path]
    ) -> Iterator[tuple[Path, Lines | None]]:
        """What is to be yielded once a part of a file has ended: the file, after the last part of it."""
        path, known = waiting.path, lines[waiting.path]
        known[waiting.part] = found
        if len(known) == waiting.parts:
            self._close(path)
            whole = [line for part in sorted(known) for line in known[part]]
            yield path, None if path in failed and not whole else whole

    def _parts(self, path: Path) -> list[_Waiting]:
        """A recording, or each call of a capture. What is wrong with either is found when it is opened."""
        if self._raw is not None or not is_capture(path):
            most = self.config.input.max_channels
            opened = partial(FileSource, path, read_ms=READ_MS, max_channels=most, track=self._track, raw=self._raw)
            return [_Waiting(path, opened)]
        try:
            capture = Capture(path, read_formats(self.config.taps.rtp.payload_types))
        except BadInputError as error:
            return [_Waiting(path, partial(_raise, error))]
        self._captures[path] = capture
        calls, stem = capture.calls, path.stem
        names = [stem] if len(calls) == 1 else [f"{stem}-{i}" for i in range(1, len(calls) + 1)]
        step = READ_MS * SAMPLE_RATE // 1000
        return [
            _Waiting(path, partial(CaptureSource, capture, call, step=step), names[i], i, len(calls))
            for i, call in enumerate(calls)
        ]

    def _close(self, path: Path) -> None:
        """A file has ended: say what of it was not scored."""
        capture = self._captures.pop(path, None)
        if capture is not None:
            for line in capture.left_out:
                print(f"{path}: not scored: {line}", file=sys.stderr, flush=True)
            capture.close()

    def _free(self, channels: int) -> int | None:
        """First row of a free stretch."""
        used = {row for f in self.playing for row in range(f.ring.rows.start, f.ring.rows.stop)}
        for first in range(self.pool.rows - channels + 1):
            if not used.intersection(range(first, first + channels)):
                return first
        return None

    def _start(self, waiting: _Waiting) -> bool:
        """Open one. False: it cannot be played, and that was said."""
        try:
            source = waiting.open()
            first = self._free(len(source.channels))
            if first is None:
                message = f"{waiting.path}: {waiting.call or 'it'} has {len(source.channels)} channels at once"
                raise BadInputError(message, f"at most {self.pool.rows} are scored; watch it with replay")
        except BadInputError as error:
            print(f"error: {error.message}\n  {error.hint}", file=sys.stderr, flush=True)
            return False
        ring = self.bank.open(first, len(source.channels))
        self.pool.open(ring.rows)
        file = _Playing(waiting, source, ring, source.chunks(), [UNKNOWN] * len(source.channels))
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
                    place = " ".join(filter(None, (str(file.waiting.path), file.waiting.call, item.channel)))
                    print(f"{place}: {item.code}: {item.detail}", file=sys.stderr, flush=True)
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

    def _lines(self, file: _Playing) -> Lines:
        llr, p_fake = self.pool.whole(file.ring.rows)
        lines: Lines = []
        for i, name in enumerate(file.source.channels):
            row = file.ring.rows.start + i
            line = {
                "path": str(file.waiting.path),
                **({"call": file.waiting.call} if file.waiting.call else {}),
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
            self._on_done(file.waiting.path, file.source.channels, file.votes)
        return lines

    def _state(self, worst: int, row: int) -> str:
        """The gravest verdict on the way; without any, whether there was too little speech or none."""
        if worst == LISTENING and not self.pool.evidence.blocks[row]:
            worst = UNKNOWN
        return STATES[worst].value


def _raise(error: BadInputError) -> NoReturn:
    raise error
