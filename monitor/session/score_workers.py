"""Scores files in several processes; each is handed one file at a time, and its scores come as it ends."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from monitor.config.schema import Config
from monitor.errors import BadInputError, MonitorError
from monitor.scores import FileScore
from monitor.session.score import FileScorer, RawFormat

JOIN_S = 2.0


@dataclass(frozen=True)
class Task:
    """What a process needs to know. track and raw as of FileScorer."""

    config: Config
    track: int | None
    raw: RawFormat | None


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    path: Path | None = None
    """The file that it scores now; None until it is ready, and while it has none."""


def score_in_workers(files: Iterable[Path], workers: int, task: Task) -> Generator[FileScore]:
    """Yield the scores of files in the order in which they end. A process that is lost costs the file that it scored.

    Raises WeightsError where the network cannot be loaded.
    """
    waiting, crew = iter(files), [_start(task) for _ in range(workers)]
    try:
        while crew:
            for pipe in wait([worker.pipe for worker in crew]):
                worker = next(w for w in crew if w.pipe is pipe)
                scored = _answer(worker)
                if scored is not None and isinstance(scored.error, BadInputError) and not worker.process.is_alive():
                    crew[crew.index(worker)] = worker = _start(task)
                elif (path := next(waiting, None)) is not None:
                    worker.path = path
                    worker.pipe.send(path)
                else:
                    crew.remove(worker)
                    _stop(worker)
                if scored is not None:
                    yield scored
    finally:
        for worker in crew:
            _stop(worker)


def _start(task: Task) -> _Worker:
    context = get_context("spawn")  # a copy of a process with threads may hold a lock that nobody lets go of
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, task), daemon=True)
    process.start()
    there.close()
    return _Worker(process, here)


def _stop(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.terminate()
    worker.process.join(JOIN_S)


def _answer(worker: _Worker) -> FileScore | None:
    """The scores of its file, or None where it has just begun. Raises what kept it from beginning."""
    path, worker.path = worker.path, None
    try:
        said = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(JOIN_S)
        hint = "score it alone to see why; memory may have run out"
        lost = BadInputError(f"{path or 'a process'}: the process that scored it has ended", hint)
        if path is None:
            raise lost from None
        return FileScore(path, error=lost)
    if isinstance(said, MonitorError):
        raise said
    assert said is None or isinstance(said, FileScore)
    return said


def _work(pipe: Connection, task: Task) -> None:
    """Body of a process: says that it is ready, then takes paths until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which ends this one
    try:
        scorer = FileScorer(task.config, track=task.track, raw=task.raw)
    except MonitorError as error:
        pipe.send(error)
        return
    said: FileScore | None = None
    try:
        while True:
            pipe.send(said)
            said = scorer.score(pipe.recv())
    except (EOFError, OSError):
        return
