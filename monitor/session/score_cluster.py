"""Scores archives with Ray Data: paths go to scoring processes on all machines, scores come back and are written."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from monitor.cluster.connect import joined
from monitor.errors import BadInputError, SourceError
from monitor.scores import FileScore
from monitor.scoring.opening import check_weights
from monitor.session.find_recordings import Recordings, is_recording
from monitor.session.object_store import fetched, is_address, stored_files
from monitor.session.path_set import PathSet
from monitor.session.score_table import row
from monitor.session.score_workers import ScoringProcess, Task

MOST_FILES, MOST_BYTES = 64, 8 << 20
"""The most in one task: so many files, or files of so many bytes."""
EVERY_S = 2.0
"""Scores go back after so long, and at the end of a task."""
STORE_BYTES = 32 << 20
"""The size of the object store, for what waits between listing and scoring, and between scoring and writing."""
Block = Any
"""A pyarrow.Table."""


class ArchiveFile(NamedTuple):
    """A file to score. name: as the tables have it. path: where it lies; in an object store, `store` opens that."""

    name: str
    path: str
    store: str = ""
    size: int = 0


class Archive:
    """The files that arguments name, each once; arguments are paths, folders, patterns and addresses of object stores.

    left_out: as of Recordings. Raises BadInputError for an argument that names nothing.
    """

    def __init__(self, arguments: Sequence[str | Path], *, every: bool = False) -> None:
        self._arguments = [_absolute(str(argument)) for argument in arguments]
        self._every, self.left_out = every, Counter[str]()
        for argument in self._arguments:
            if next(self._files(argument), None) is None:
                raise BadInputError(
                    f"{argument} holds no recordings", "name a folder with recordings or captures in it"
                )

    def __iter__(self) -> Iterator[ArchiveFile]:
        self.left_out.clear()
        seen = PathSet() if len(self._arguments) > 1 else None
        for argument in self._arguments:
            for found in self._files(argument):
                if seen is None or seen.add(found.name):
                    yield found

    def _files(self, argument: str) -> Iterator[ArchiveFile]:
        if is_address(argument):
            for name in stored_files(argument, self._taken):
                yield ArchiveFile(name.name, name.name, name.store, name.size)
            return
        files = Recordings([argument], every=self._every)
        for path in files:
            try:
                size = path.stat().st_size
            except OSError:
                size = 0
            yield ArchiveFile(os.fsencode(path).decode("utf-8", "backslashreplace"), str(path), "", size)
        self.left_out.update(files.left_out)

    def _taken(self, name: str) -> bool:
        taken = self._every or is_recording(name)
        if not taken:
            self.left_out[Path(name).suffix.lower() or name] += 1
        return taken


def _absolute(argument: str) -> str:
    """Return an address, or a path from the root."""
    if argument.startswith("file://"):
        return url2pathname(urlsplit(argument).path)
    return argument if is_address(argument) else os.path.abspath(argument)


@dataclass(frozen=True)
class ClusterScore:
    """Result for one file. rows: as score_table.row() makes them. problems: (severity, message, hint)."""

    name: str
    rows: Sequence[Mapping[str, Any]]
    problems: Sequence[tuple[str, str, str]]

    @property
    def failed(self) -> bool:
        """Return whether it, or a call of it, could not be scored."""
        return any(severity == "error" for severity, _, _ in self.problems)


def score_on_cluster(
    files: Archive, task: Task, address: str, workers: int | None, done: PathSet
) -> Iterator[ClusterScore]:
    """Yield what became of the files, in the order in which they end.

    address: as of joined(). workers: scoring processes; None: one for each CPU of the cluster. done: files that are
    left out. What Ray does anew after a machine has died may come twice. At the end files.left_out is filled. Raises
    BadInputError, WeightsError, and SourceError where the cluster fails.
    """
    check_weights(task.config.model)
    with joined(address, cpus=workers):
        from ray.exceptions import RayError

        try:
            for answer in _answers(files, task, workers, done):
                if isinstance(answer, dict):
                    files.left_out.update(answer)
                    continue
                for name, rows, problems in answer:
                    yield ClusterScore(name, rows, [tuple(problem) for problem in problems])
        except RayError as error:
            reason = str(error).strip().rpartition("\n")[2]
            hint = "run the command again: it goes on where it stopped"
            raise SourceError(f"the cluster has failed: {reason}", hint) from error


def _answers(files: Archive, task: Task, workers: int | None, done: PathSet) -> Iterator[Any]:
    """Yield what the scoring processes answer, as it comes: lists of scores, at the end what was left out."""
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # each row is a block of its own, so that it goes on at once
    limits = context.execution_options.resource_limits
    context.execution_options.resource_limits = limits.copy(object_store_memory=STORE_BYTES)
    size = workers or int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call, unused-ignore]
    pool = ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=2)
    scored = _listing(files, done).map_batches(
        _Scorer, batch_size=1, compute=pool, fn_constructor_args=(task,), num_cpus=1
    )
    for batch in scored.iter_batches(batch_size=None, prefetch_batches=0):
        yield from map(json.loads, batch["scored"])


def _listing(files: Archive, done: PathSet) -> Any:
    """Return a Ray dataset whose rows are tasks, the last one what was not taken. One process on this machine lists, no
    further ahead than needed.
    """
    import pyarrow
    import ray
    from ray.data import Datasource, ReadTask, read_datasource
    from ray.data.block import BlockMetadata

    def listed() -> Iterator[Block]:
        for some in tasks(found for found in files if found.name not in done):
            yield pyarrow.table({"files": [json.dumps(some)]})
        yield pyarrow.table({"files": [json.dumps(files.left_out)]})

    class _Files(Datasource):  # type: ignore[misc, unused-ignore]
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:  # noqa: ARG002 - Ray's
            unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [ReadTask(listed, unknown)]

    here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    source = _Files()  # type: ignore[no-untyped-call, unused-ignore]
    return read_datasource(source, override_num_blocks=1, num_cpus=0, label_selector=here)


def tasks(files: Iterable[ArchiveFile]) -> Iterator[list[ArchiveFile]]:
    """Put files together until they are many, or long: what one process is given at once."""
    some: list[ArchiveFile] = []
    for found in files:
        some.append(found)
        if len(some) == MOST_FILES or sum(other.size for other in some) >= MOST_BYTES:
            yield some
            some = []
    if some:
        yield some


class _Scorer:
    """Runs in a process of Ray; scores in a child of it, so that a file that ends a process costs that file alone."""

    def __init__(self, task: Task) -> None:
        self._child = ScoringProcess(task)

    def __call__(self, batch: Mapping[str, Any]) -> Iterator[dict[str, list[str]]]:
        for text in batch["files"]:
            some, begun = json.loads(str(text)), time.monotonic()
            if isinstance(some, dict):
                yield {"scored": [str(text)]}
                continue
            scored = []
            for values in some:
                scored.append(self._score(ArchiveFile(*values)))
                if time.monotonic() - begun > EVERY_S:
                    yield {"scored": [json.dumps(scored)]}
                    scored, begun = [], time.monotonic()
            yield {"scored": [json.dumps(scored)]}

    def _score(self, found: ArchiveFile) -> tuple[str, list[dict[str, Any]], list[tuple[str, str, str]]]:
        with ExitStack() as stack:
            try:
                path = stack.enter_context(fetched(found.store, found.path)) if found.store else Path(found.path)
            except BadInputError as error:
                return found.name, [], [("error", error.message, error.hint)]
            return named(self._child.score(path), found.name)


def named(scored: FileScore, name: str) -> tuple[str, list[dict[str, Any]], list[tuple[str, str, str]]]:
    """Return the rows and problems of a file, with its name in the archive for the path at which it was read."""

    def renamed(text: str) -> str:
        return text.replace(str(scored.path), name)

    rows = [row(scored, channel) | {"path": name} for channel in scored.channels]
    problems = [("warning", renamed(line), "") for line in scored.warnings]
    if scored.error is not None:
        problems.append(("error", renamed(scored.error.message), renamed(scored.error.hint)))
    return name, rows, problems
