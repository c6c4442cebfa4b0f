"""Scores recordings, and the calls in captures, through the same steps as a live call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import numpy as np

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import SEGMENT_BLOCKS, SEGMENT_MS, Chunk, Source
from monitor.captures.records import is_capture
from monitor.config.load import load_settings
from monitor.config.schema import Config
from monitor.engine.decision import STATES
from monitor.engine.event_data import families
from monitor.engine.pool import Pool
from monitor.engine.ring import Ring
from monitor.engine.ring_bank import RingBank
from monitor.errors import BadInputError
from monitor.provenance.provenance_reader import ProvenanceReader
from monitor.scores import ChannelScore, FileScore, StateTimeline
from monitor.scoring.opening import open_scorer
from monitor.sources.capture_file import CaptureFile, CaptureSource
from monitor.sources.pcm_reader import PcmFormat
from monitor.sources.raw_formats import CodecFormat
from monitor.sources.recording import FileSource
from monitor.taps.rtp.listener import read_formats

ROWS = 32
HELD_S = 4.0

RawFormat = PcmFormat | CodecFormat
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
    paths: Iterable[str | Path],
    *,
    weights: str | Path | None = None,
    config: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
) -> Iterator[FileScore]:
    """Score recordings and captures; yields each as it ends, with the error of one that cannot be scored.

    The other parameters are those of score_file(). Raises WeightsError and ConfigError.
    """
    yield from FileScorer(read_config(config, settings, weights)).run(map(Path, paths))


class FileScorer:
    """Scores files one after the other, in long segments.

    on_done: takes the path of each file, or call of a capture, that has ended, the names of its channels, and the llr
    of all their blocks that counted towards a verdict. track: which of several sound tracks, from 1. raw: the format of
    files without a header. Raises WeightsError and ConfigError.
    """

    def __init__(
        self, config: Config, on_done: OnDone | None = None, *, track: int | None = None, raw: RawFormat | None = None
    ) -> None:
        self.config, self._on_done, self._track, self._raw = config, on_done, track, raw
        rows = max(ROWS, config.input.max_channels)
        self._marks = ProvenanceReader(config.provenance)
        self.pool = Pool(open_scorer(config.model, rows, recorded=True), config)

    def run(self, files: Iterable[Path]) -> Iterator[FileScore]:
        """Yield the scores of each file, or its error, in the order given."""
        return map(self.score, files)

    def score(self, path: Path) -> FileScore:
        """Return the scores of a recording, or of each call of a capture, with the error of what cannot be scored."""
        channels: list[ChannelScore] = []
        warnings: list[str] = []
        error: BadInputError | None = None
        with ExitStack() as stack:
            try:
                parts = self._parts(path, stack, warnings)
            except BadInputError as found:
                return FileScore(path, error=found)
            for call, opened in parts:
                try:
                    channels += self._play(path, call, opened(), warnings)
                except BadInputError as found:
                    error = found
        recorded = self._raw is None and channels and not channels[0].call
        marks = self._marks.read(path) if recorded else ()
        return FileScore(path, tuple(channels), tuple(warnings), error, marks)

    def _parts(self, path: Path, stack: ExitStack, warnings: list[str]) -> list[tuple[str, Callable[[], Source]]]:
        """Return a recording, or each call of a capture and its name, with what opens it."""
        if self._raw is not None or not is_capture(path):
            most = self.config.input.max_channels
            opened = partial(FileSource, path, read_ms=SEGMENT_MS, max_channels=most, track=self._track, raw=self._raw)
            return [("", opened)]
        capture = stack.enter_context(closing(CaptureFile(path, read_formats(self.config.taps.rtp.payload_types))))
        stack.callback(lambda: warnings.extend(f"{path}: not scored: {line}" for line in capture.left_out))
        step = SEGMENT_BLOCKS * BLOCK
        names = [path.stem if len(capture.calls) == 1 else f"{path.stem}-{i + 1}" for i in range(len(capture.calls))]
        return [
            (name, partial(CaptureSource, capture, call, step=step))
            for name, call in zip(names, capture.calls, strict=True)
        ]

    def _play(self, path: Path, call: str, source: Source, warnings: list[str]) -> tuple[ChannelScore, ...]:
        """Score a source to its end. Raises BadInputError for one with too many channels."""
        names, timelines = source.channels, [StateTimeline() for _ in source.channels]
        votes: list[list[float]] = [[] for _ in names]
        with closing(source):
            if len(names) > self.pool.rows:
                message = f"{path}: {call or 'it'} has {len(names)} channels at once"
                raise BadInputError(message, f"at most {self.pool.rows} are scored; watch it with replay")
            ring = RingBank(len(names), HELD_S).open(0, len(names))
            self.pool.open(ring.rows)
            for item in source.chunks():
                if isinstance(item, Chunk):
                    ring.push(item, wait=True)
                    self._advance(ring, SEGMENT_BLOCKS, timelines, votes)
                else:
                    place = " ".join(filter(None, (str(path), call, item.channel)))
                    warnings.append(f"{place}: {item.code}: {item.detail}")
            self._advance(ring, 1, timelines, votes)
        if self._on_done is not None:
            self._on_done(path, names, votes)
        return channel_scores(self.pool, ring.rows, names, timelines, ring.written, call)

    def _advance(self, ring: Ring, least: int, timelines: list[StateTimeline], votes: list[list[float]]) -> None:
        """Score what waits, as long as it is at least so many blocks."""
        while (waiting := ring.fill // BLOCK) >= least:
            results = self.pool.step(ring.take(min(waiting, SEGMENT_BLOCKS)))
            for i in np.flatnonzero(results.changes.state).tolist():
                timelines[results.rows[i]].add(int(results.end[i]), STATES[int(results.state[i])])
            if self._on_done is not None:
                for row in range(len(votes)):
                    votes[row] += results.llr[results.votes & (results.rows == row)].tolist()


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
