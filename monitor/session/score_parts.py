"""Two Parquet tables of an archive, written part by part: the scores, and what went wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from monitor.disk.locking import lock
from monitor.errors import BadInputError
from monitor.session.object_store import is_address, open_store
from monitor.session.path_set import PathSet
from monitor.session.score_table import COLUMNS, check_pyarrow, flat, schema_of, table_of

SCORES, ERRORS = "scores", "errors"
ERROR_COLUMNS = ("path", "severity", "message", "hint")
"""severity: "error" where a file, or a call of a capture, could not be scored, else "warning"."""
MOST_ROWS, EVERY_S = 20_000, 30.0
"""A part is written when it has so many rows, or is so old."""
_UNFINISHED = ".unfinished"


class ScoreParts:
    """A folder with the folders `scores` and `errors`, here or in an object store, that is gone on with.

    Parts of both folders with the same name belong together. That of the scores is written last, even if it is empty:
    what an interrupted run left without it does not count. done: the files that earlier runs and this one have written
    or hold. Raises BadInputError where nothing can be written, or another program writes here.
    """

    def __init__(self, place: str | Path) -> None:
        check_pyarrow()
        self._place = str(place)
        self._store, root = open_store(self._place if is_address(place) else Path(place).absolute().as_uri())
        self._folders = {kind: f"{root.rstrip('/')}/{kind}" for kind in (SCORES, ERRORS)}
        self._rows: dict[str, list[Sequence[Any]]] = {SCORES: [], ERRORS: []}
        self._begun, self._lock = time.monotonic(), -1
        try:
            for folder in self._folders.values():
                self._store.create_dir(folder, recursive=True)
            if not is_address(place):
                self._lock = os.open(Path(place, ".lock"), os.O_CREAT | os.O_RDWR, 0o644)
                lock(self._lock, self._place)
            self._remove_unfinished()
            self.done = PathSet(self._earlier())
        except OSError as error:
            raise BadInputError(f"{self._place} cannot be gone on with: {error}", "name another --out") from error

    def add(self, name: str, rows: Sequence[Mapping[str, Any]], problems: Sequence[tuple[str, str, str]]) -> bool:
        """Add a file: what score_table.row() gives for each channel, and (severity, message, hint) of each problem.

        Returns whether it is new; a file that is done is not written again. Raises BadInputError.
        """
        if not self.done.add(name):
            return False
        self._rows[SCORES] += [flat(row) for row in rows]
        self._rows[ERRORS] += [(name, *problem) for problem in problems]
        if max(map(len, self._rows.values())) >= MOST_ROWS or time.monotonic() - self._begun > EVERY_S:
            self.flush()
        return True

    def flush(self) -> None:
        """Write what waits. Raises BadInputError where that is impossible."""
        self._begun = time.monotonic()
        if any(self._rows.values()):
            part = f"part-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{uuid4().hex[:8]}.parquet"  # by name = by time
            try:
                for kind, columns in ((ERRORS, ERROR_COLUMNS), (SCORES, COLUMNS)):
                    if self._rows[kind] or kind == SCORES:
                        self._write(f"{self._folders[kind]}/{part}", self._rows[kind], columns)
            except OSError as error:
                hint = "make room, and run the command again: it goes on where it stopped"
                raise BadInputError(f"{self._place} cannot be written: {error}", hint) from error
            self._rows = {SCORES: [], ERRORS: []}

    def close(self) -> None:
        """Write what waits, and let others write here."""
        try:
            self.flush()
        finally:
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def _write(self, path: str, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> None:
        from pyarrow import parquet

        schema = schema_of(columns)
        with self._store.open_output_stream(path + _UNFINISHED) as file:
            parquet.write_table(table_of(rows, schema), file)
        self._store.move(path + _UNFINISHED, path)

    def _parts(self, kind: str) -> list[str]:
        from pyarrow.fs import FileSelector

        found = self._store.get_file_info(FileSelector(self._folders[kind], allow_not_found=True))
        return sorted(info.base_name for info in found if info.base_name.startswith("part-"))

    def _remove_unfinished(self) -> None:
        finished = {name for name in self._parts(SCORES) if not name.endswith(_UNFINISHED)}
        for kind, folder in self._folders.items():
            for name in self._parts(kind):
                if name not in finished:
                    with suppress(FileNotFoundError):
                        self._store.delete_file(f"{folder}/{name}")

    def _earlier(self) -> Iterator[str]:
        """Yield the files of all parts. Raises BadInputError for a part that cannot be read."""
        from pyarrow import ArrowException, parquet

        for kind, folder in self._folders.items():
            for name in self._parts(kind):
                try:
                    with self._store.open_input_file(f"{folder}/{name}") as file:
                        for batch in parquet.ParquetFile(file).iter_batches(columns=["path"]):
                            yield from batch.column(0).to_pylist()
                except ArrowException as error:
                    message = f"{self._place}/{kind}/{name} holds no scores"
                    raise BadInputError(message, "delete this part: its files are scored again") from error
