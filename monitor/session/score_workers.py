"""Scores files in several processes; each is handed one file at a time, and its scores come as it ends."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path

from monitor.config.schema import Config
from monitor.errors import BadInputError, MonitorError
from monitor.scores import FileScore
from monitor.session.file_scorer import FileScorer, RawFormat

JOIN_S = 2.0


@dataclass(frozen=True)
class Task:
    """Settings of a scoring process. track and raw as of FileScorer."""

    config: Config
    track: int | None
    raw: RawFormat | None


class ScoringProcess:
    """A process that scores one file after the other.

    path: the file that it scores now, None while it has none. ready: whether it has said that it can be given one.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self.path: Path | None = None
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")  # a copy of a process with threads may hold a lock that nobody lets go of
        self.pipe, there = context.Pipe()
        self._process = context.Process(target=_work, args=(there, self._task), daemon=True)
        self._process.start()
        there.close()
        self.ready = False

    def score(self, path: Path) -> FileScore:
        """Return the scores of a file; where the process is lost, an error, and it is started anew.

        Raises WeightsError where the network cannot be loaded.
        """
        if not self.ready:
            self.answer()
        self.send(path)
        scored = self.answer()
        assert scored is not None
        return scored

    def send(self, path: Path) -> None:
        """Let it score a file; it must be ready."""
        self.path = path
        with suppress(OSError):  # answer() says that it is lost
            self.pipe.send(path)

    def answer(self) -> FileScore | None:
        """Wait for the scores of its file, or, with None, until it is ready. Raises what kept it from beginning."""
        path, self.path = self.path, None
        try:
            result = self.pipe.recv()
        except (EOFError, OSError):
            self.stop()
            hint = "score it alone to see why; memory may have run out"
            lost = BadInputError(f"{path or 'a process'}: the process that scored it has ended", hint)
            if path is None:
                raise lost from None
            self._start()
            return FileScore(path, error=lost)
        if isinstance(result, MonitorError):
            raise result
        assert result is None or isinstance(result, FileScore)
        self.ready = True
        return result

    def stop(self) -> None:
        self.pipe.close()
        self._process.terminate()
        self._process.join(JOIN_S)


def score_in_workers(files: Iterable[Path], workers: int, task: Task) -> Generator[FileScore]:
    """Yield the scores of files in the order in which they end. A process that is lost costs the file that it scored.

    Raises WeightsError where the network cannot be loaded.
    """
    waiting, processes = iter(files), [ScoringProcess(task) for _ in range(workers)]
    try:
        while processes:
            for pipe in wait([worker.pipe for worker in processes]):
                worker = next(w for w in processes if w.pipe is pipe)
                scored = worker.answer()
                if worker.ready:
                    if (path := next(waiting, None)) is not None:
                        worker.send(path)
                    else:
                        processes.remove(worker)
                        worker.stop()
                if scored is not None:
                    yield scored
    finally:
        for worker in processes:
            worker.stop()


def _work(pipe: Connection, task: Task) -> None:
    """Run a worker process: say that it is ready, then takes paths until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which ends this one
    try:
        scorer = FileScorer(task.config, track=task.track, raw=task.raw)
    except MonitorError as error:
        pipe.send(error)
        return
    result: FileScore | None = None
    try:
        while True:
            pipe.send(result)
            result = scorer.score(pipe.recv())
    except (EOFError, OSError):
        return
