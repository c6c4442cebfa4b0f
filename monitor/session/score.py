"""Scores recordings, and the calls in captures, side by side, through the same steps as a live call."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Chunk, Source
from monitor.captures.records import is_capture
from monitor.config.load import load_settings
from monitor.config.schema import Config
from monitor.engine.decision import STATES
from monitor.engine.event_data import families
from monitor.engine.pool import Pool
from monitor.engine.results import Results
from monitor.engine.ring import Ring, RingBank
from monitor.errors import BadInputError
from monitor.scores import ChannelScore, FileScore, StateTimeline
from monitor.scoring.opening import open_scorer
from monitor.sources.capture_file import CaptureFile, CaptureSource
from monitor.sources.pcm_reader import PcmFormat
from monitor.sources.raw_formats import CodecFormat
from monitor.sources.recording import FileSource
from monitor.taps.rtp.listener import read_formats
from monitor.types import Condition

ROWS = 32
READ_MS = 500

OnDone = Callable[[Path, Sequence[str], Sequence[Sequence[float]]], None]


def read_config(file: str | Path | None, settings: Mapping[str, object] | None, weights: str | Path | None) -> Config:
    """Return the settings of the command line's layers, `settings` (dotted keys) and `weights` above them.

    Raises ConfigError.
    """
    flags = [(f"settings[{key!r}]", key, value) for key, value in (settings or {}).items()]
    if weights is not None:
        flags.append(("weights", "model.weights", str(weights)))
    return load_settings(None if file is None else Path(file), os.environ, flags).config


def score_file(
    path: str | Path,
    *,
    weights: str | Path | None = None,
    config: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
) -> tuple[ChannelScore, ...]:
    """Score a recording, or each call of a network capture; returns the scores of each channel, in their order.

    weights: a weights file, or "default". config: a settings file; settings: single ones, such as
    {"alerts.alert_llr": 3}. Raises BadInputError for a recording that cannot be scored, WeightsError and ConfigError.
    """
    (scored,) = score_files([path], weights=weights, config=config, settings=settings)
    if scored.error is not None and not scored.channels:
        raise scored.error
    return scored.channels


def score_files(
    paths: Sequence[str | Path],
    *,
    weights: str | Path | None = None,
    config: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
) -> Iterator[FileScore]:
    """Score recordings and captures side by side; yields each as it ends, with the error of one that cannot be scored.

    The other parameters are those of score_file(). Raises WeightsError and ConfigError.
    """
    yield from FileScorer(read_config(config, settings, weights)).run([Path(path) for path in paths])


@dataclass
class _File:
    """A recording or a capture. parts: how many calls it has. scores: of each that has ended."""

    path: Path
    parts: int = 1
    scores: dict[int, tuple[ChannelScore, ...]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: BadInputError | None = None
    capture: CaptureFile | None = None

    def finished(self) -> FileScore:
        """Return all that is known, after the last part has ended."""
        if self.capture is not None:
            self.warnings += [f"{self.path}: not scored: {line}" for line in self.capture.left_out]
            self.capture.close()
        channels = tuple(score for part in sorted(self.scores) for score in self.scores[part])
        return FileScore(self.path, channels, tuple(self.warnings), self.error)


@dataclass(frozen=True)
class _PendingCall:
    """A recording, or a call of a capture, that is to be scored. call: its name, "" for a recording. part: its number
    in the file, from 0.
    """

    file: _File
    open: Callable[[], Source]
    call: str = ""
    part: int = 0


@dataclass
class _Playing:
    """One that is being scored, on its rows."""

    waiting: _PendingCall
    source: Source
    ring: Ring
    items: Iterator[Chunk | Condition]
    timelines: list[StateTimeline]
    votes: list[list[float]]
    """The llr of every block that counted towards a verdict, of each channel, where they are kept."""

    @property
    def done(self) -> bool:
        return self.ring.closed and self.ring.fill < BLOCK

    def note(self, condition: Condition) -> None:
        """Keep what the source reports of itself as a warning."""
        file = self.waiting.file
        place = " ".join(filter(None, (str(file.path), self.waiting.call, condition.channel)))
        file.warnings.append(f"{place}: {condition.code}: {condition.detail}")


class FileScorer:
    """Scores files side by side: what they share is the stacked step, nothing else.

    on_done: takes the path of each file that has ended, the names of its channels, and the llr of all their blocks that
    counted towards a verdict. track: which of several sound tracks, from 1. raw: the format of files without a header.
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
        self.pool = Pool(open_scorer(config.model, rows), config)
        self.bank = RingBank(rows, 2.0)
        self.playing: list[_Playing] = []

    def run(self, files: Sequence[Path]) -> Iterator[FileScore]:
        """Yield the scores of each file, or its error, in the order in which they end."""
        paths, ready = deque(files), deque[_PendingCall]()
        while paths or ready or self.playing:
            while (paths or ready) and self._free(self.config.input.max_channels) is not None:
                if not ready:
                    ready += self._parts(paths.popleft())
                waiting = ready.popleft()
                try:
                    self._start(waiting)
                except BadInputError as error:
                    waiting.file.error = error
                    yield from self._ended(waiting, ())
            self._advance()
            for playing in [p for p in self.playing if p.done]:
                self.playing.remove(playing)
                scores = self._scores(playing)
                self.bank.release(playing.ring)
                yield from self._ended(playing.waiting, scores)

    def _ended(self, waiting: _PendingCall, scores: tuple[ChannelScore, ...]) -> Iterator[FileScore]:
        """Note that a part of a file has ended; yields the file after the last part of it."""
        file = waiting.file
        file.scores[waiting.part] = scores
        if len(file.scores) == file.parts:
            yield file.finished()

    def _parts(self, path: Path) -> list[_PendingCall]:
        """Return a recording, or each call of a capture. What is wrong with either is found when it is opened."""
        file = _File(path)
        if self._raw is not None or not is_capture(path):
            most = self.config.input.max_channels
            opened = partial(FileSource, path, read_ms=READ_MS, max_channels=most, track=self._track, raw=self._raw)
            return [_PendingCall(file, opened)]
        try:
            file.capture = CaptureFile(path, read_formats(self.config.taps.rtp.payload_types))
        except BadInputError as error:
            return [_PendingCall(file, partial(_raise, error))]
        calls, stem = file.capture.calls, path.stem
        file.parts = len(calls)
        names = [stem] if len(calls) == 1 else [f"{stem}-{i}" for i in range(1, len(calls) + 1)]
        step = READ_MS * SAMPLE_RATE // 1000
        return [
            _PendingCall(file, partial(CaptureSource, file.capture, call, step=step), names[i], i)
            for i, call in enumerate(calls)
        ]

    def _free(self, channels: int) -> int | None:
        """First row of a free stretch."""
        used = {row for f in self.playing for row in range(f.ring.rows.start, f.ring.rows.stop)}
        for first in range(self.pool.rows - channels + 1):
            if not used.intersection(range(first, first + channels)):
                return first
        return None

    def _start(self, waiting: _PendingCall) -> None:
        """Open one. Raises BadInputError where it cannot be played."""
        source = waiting.open()
        channels = len(source.channels)
        first = self._free(channels)
        if first is None:
            source.close()
            message = f"{waiting.file.path}: {waiting.call or 'it'} has {channels} channels at once"
            raise BadInputError(message, f"at most {self.pool.rows} are scored; watch it with replay")
        ring = self.bank.open(first, channels)
        self.pool.open(ring.rows)
        timelines = [StateTimeline() for _ in range(channels)]
        self.playing.append(_Playing(waiting, source, ring, source.chunks(), timelines, [[] for _ in range(channels)]))

    def _advance(self) -> None:
        """Read on where a ring is short, then score a block of every file that has one."""
        for playing in self.playing:
            while playing.ring.fill < BLOCK and not playing.ring.closed:
                item = next(playing.items, None)
                if item is None:
                    playing.ring.finish()
                elif isinstance(item, Chunk):
                    playing.ring.push(item, wait=True)
                else:
                    playing.note(item)
        blocks = self.bank.take(0.0)
        if blocks is None:
            return
        results = self.pool.step(blocks)
        self._note_states(results)
        if self._on_done is not None:
            self._keep(results)

    def _note_states(self, results: Results) -> None:
        for i in np.flatnonzero(results.changes.state).tolist():
            row = int(results.rows[i])
            playing = next(p for p in self.playing if p.ring.rows.start <= row < p.ring.rows.stop)
            state = STATES[int(self.pool.decision.state[row])]
            playing.timelines[row - playing.ring.rows.start].add(int(results.end[i]), state)

    def _keep(self, results: Results) -> None:
        votes = results.votes
        llr = dict(zip(results.rows[votes].tolist(), results.llr[votes].tolist(), strict=True))
        for playing in self.playing:
            for row, kept in enumerate(playing.votes, playing.ring.rows.start):
                if row in llr:
                    kept.append(llr[row])

    def _scores(self, playing: _Playing) -> tuple[ChannelScore, ...]:
        names, waiting = playing.source.channels, playing.waiting
        rows, written = playing.ring.rows, playing.ring.written
        scores = channel_scores(self.pool, rows, names, playing.timelines, written, waiting.call)
        playing.source.close()
        if self._on_done is not None:
            self._on_done(waiting.file.path, names, playing.votes)
        return scores


def channel_scores(
    pool: Pool, rows: slice, names: Sequence[str], timelines: Sequence[StateTimeline], samples: int, call: str = ""
) -> tuple[ChannelScore, ...]:
    """Return the scores of the channels in rows that follow each other, of all their speech. samples: length of
    each."""
    verdicts = pool.verdicts(rows, whole=True)
    return tuple(
        ChannelScore(
            channel=name,
            p_fake=round(float(verdicts.p_fake[i]), 6),
            llr=round(float(verdicts.llr[i]), 5),
            net_speech_s=round(verdicts.net_speech_s(i), 2),
            state=timelines[i].worst(int(verdicts.net_speech[i])),
            families=families(verdicts.families_of(i)),
            duration_s=round(samples / SAMPLE_RATE, 3),
            segments=timelines[i].segments(samples),
            call=call,
        )
        for i, name in enumerate(names)
    )


def _raise(error: BadInputError) -> NoReturn:
    raise error
