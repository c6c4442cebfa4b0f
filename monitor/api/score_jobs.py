"""Files that programs send to be scored: one after the other, each in a process of its own, in a private folder."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from monitor.api.score_child import ERROR, JOURNAL, REPORT, RESULT, SUMMARY, TOTAL, quiet_config, score_upload
from monitor.config.schema import Config
from monitor.disk.private import make_folder
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.types import SAMPLE_RATE

TAIL = 1 << 16
"""Bytes of a journal's end in which its last whole line is."""
JOIN_S = 2.0
LARGEST_RESULT = 64 << 20


@dataclass
class FileScoring:
    """A file. folder: of its own. path: where the file is until it was scored. key: of the API that sent it; "" = the
    page, or a program without a key. summary: outcome and highest_p, once it is done. finished: monotonic seconds.
    """

    id: str
    key: str
    folder: Path
    path: Path
    name: str = ""
    submitted: str = ""
    state: Literal["waiting", "running", "done", "failed"] = "waiting"
    error: str | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    finished: float | None = None
    process: BaseProcess | None = None
    gone: bool = False

    def progress(self) -> tuple[float, float | None]:
        """Return the seconds of audio scored so far, and of the file, where it says."""
        total: float | None = None
        with suppress(OSError, ValueError):
            total = float((self.folder / TOTAL).read_bytes())
        return _newest_second(self.folder / JOURNAL), total

    def result(self) -> list[dict[str, Any]]:
        """Return its calls. Raises OSError, ValueError where they are not there."""
        path = self.folder / RESULT
        if path.stat().st_size > LARGEST_RESULT:
            raise ValueError("too large")
        found: list[dict[str, Any]] = json.loads(path.read_bytes())
        return found

    @property
    def report(self) -> Path:
        """Return the file of the report, which is there once it is done."""
        return self.folder / REPORT


def _newest_second(journal: Path) -> float:
    """Return where in the audio the last whole line of a journal is."""
    try:
        with journal.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            *_, line, _ = file.read().split(b"\n")
        return wire.decode(line).event.sample / SAMPLE_RATE
    except (OSError, ValueError, BadInputError):
        return 0.0


@dataclass
class ScoreJobs:
    """Any thread may use it. close() ends what runs and deletes everything."""

    config: Config
    _jobs: dict[str, FileScoring] = field(default_factory=dict)
    _waiting: deque[FileScoring] = field(default_factory=deque)
    _root: Path | None = None
    _thread: threading.Thread | None = None
    _closed: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def begin(self, key: str) -> FileScoring | None:
        """Return a place for a file; None where there are as many as api.max_scores. Raises OSError."""
        with self._changed:
            self._prune()
            if len(self._jobs) >= self.config.api.max_scores or self._closed:
                return None
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="monitor-scores-"))
            identity = secrets.token_hex(16)
            folder = self._root / identity
            make_folder(folder)
            job = self._jobs[identity] = FileScoring(identity, key, folder, folder / "upload")
            return job

    def submit(self, job: FileScoring, name: str) -> None:
        """Have the file scored in its turn. name: shown in results."""
        with self._changed:
            job.name, job.submitted = name, wire.utc_now()
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="scores", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def jobs(self) -> list[FileScoring]:
        """Return the files that are kept, the newest first."""
        with self._changed:
            self._prune()
            return [job for job in reversed(self._jobs.values()) if job.submitted]

    def job(self, identity: str) -> FileScoring | None:
        """Return a file that was sent, while it is kept."""
        with self._changed:
            self._prune()
            found = self._jobs.get(identity)
            return found if found is not None and found.submitted else None

    def remove(self, job: FileScoring) -> None:
        """End a job and delete all that there is of it."""
        with self._changed:
            self._jobs.pop(job.id, None)
            job.gone = True
            if job.process is not None:
                job.process.kill()
            elif job.state != "running":
                shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """End what runs and delete everything. May be called twice."""
        with self._changed:
            self._closed = True
            jobs = list(self._jobs.values())
            self._changed.notify_all()
        for job in jobs:
            self.remove(job)
        if self._thread is not None:
            self._thread.join(JOIN_S)
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)

    def _prune(self) -> None:
        oldest = time.monotonic() - self.config.api.keep_scores_s
        for job in [j for j in self._jobs.values() if j.finished is not None and j.finished < oldest]:
            del self._jobs[job.id]
            shutil.rmtree(job.folder, ignore_errors=True)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                job = self._waiting.popleft()
                if job.gone:
                    continue
                job.state, job.process = "running", self._start(job)
            self._wait(job, job.process)

    def _start(self, job: FileScoring) -> BaseProcess:
        context = get_context("spawn")  # a copy of a process with threads may hold a lock that nobody lets go of
        work = (job.path, job.name, quiet_config(self.config, job.folder), job.folder)
        process = context.Process(target=score_upload, args=work, daemon=True)
        process.start()
        return process

    def _wait(self, job: FileScoring, process: BaseProcess) -> None:
        process.join(self.config.api.score_timeout_s)
        late = process.is_alive()
        process.kill()
        process.join(JOIN_S)
        with self._changed:
            job.process, job.finished = None, time.monotonic()
            job.path.unlink(missing_ok=True)
            job.error = _error_of(job, late, self.config.api.score_timeout_s)
            with suppress(OSError, ValueError):
                job.summary = json.loads((job.folder / SUMMARY).read_bytes())
            job.state = "done" if job.error is None else "failed"
            if job.gone:
                shutil.rmtree(job.folder, ignore_errors=True)


def _error_of(job: FileScoring, late: bool, most_s: float) -> str | None:
    if late:
        return f"given up after {most_s:g} s (api.score_timeout_s)"
    if (job.folder / RESULT).is_file():
        return None
    try:
        return (job.folder / ERROR).read_text(encoding="utf-8")
    except OSError:
        return "the process that scored it has ended without a word; memory may have run out"
