"""Files of scores, a line for each channel: CSV, JSON lines or Parquet, which are gone on with where they stopped."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monitor.errors import BadInputError
from monitor.scores import ChannelScore, FileScore
from monitor.session.path_set import PathSet

COLUMNS = ("path", "call", "channel", "state", "p_fake", "llr", "net_speech_s", "duration_s", "family", "provenance")
NUMBERS = ("p_fake", "llr", "net_speech_s", "duration_s")
BATCH = 10_000
"""Rows of a Parquet file that are converted at once."""
Row = Mapping[str, Any]
Schema = Any
"""A pyarrow.Schema."""


def row(file: FileScore, score: ChannelScore) -> dict[str, Any]:
    """Return a score as JSON has it: the path, the call where the file is a capture, all but the segments, and the
    marks.
    """
    values = asdict(score) | {"provenance": [asdict(mark) for mark in file.provenance]}
    del values["segments"]
    call = values.pop("call")
    return {"path": str(file.path)} | ({"call": call} if call else {}) | values


def flat(line: Row) -> list[Any]:
    """Return the columns of a row(); the family is the likeliest, and the marks are in words."""
    families = line.get("families") or {}
    marks = " | ".join(mark["detail"] for mark in line.get("provenance") or ())
    known = {**line, "call": line.get("call", ""), "family": next(iter(families), ""), "provenance": marks}
    return [known[name] for name in COLUMNS]


def csv_line(line: Row | None) -> str:
    """Return a row(), or, for None, the names of the columns."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(COLUMNS if line is None else flat(line))
    return text.getvalue()


def json_line(line: Row) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"


class LinesFile:
    """Lines in a file. What an earlier run wrote stays; a file whose lines were cut off is scored again.

    Raises BadInputError where it cannot be written, or holds something else.
    """

    def __init__(self, path: Path, encode: Callable[[Row], str], path_of: Callable[[str], str], head: str = "") -> None:
        self._encode, self._path_of = encode, path_of
        try:
            self._file = path.open("a+b")
            if self._file.tell() == 0:
                self._file.write(head.encode())
                self._file.flush()
            self._done = PathSet(self._paths(path, head))
        except (OSError, ValueError, KeyError, IndexError) as error:
            why = getattr(error, "strerror", None) or "it holds something other than scores"
            raise BadInputError(f"{path} cannot be gone on with: {why}", "name another file with --out") from error

    def _paths(self, path: Path, head: str) -> Iterator[str]:
        """Yield the path of each whole line; the file is cut off before the lines of a path whose last line is torn."""
        begin = at = 0
        last: str | None = None
        with path.open("rb") as file:
            if head:
                at = begin = len(head)
                if file.readline() != head.encode():
                    raise ValueError(head)
            for line in file:
                if not line.endswith(b"\n"):
                    self._file.truncate(begin)
                    return
                now = self._path_of(line.decode("utf-8", "surrogateescape"))
                if now != last:
                    if last is not None:
                        yield last
                    begin, last = at, now
                at += len(line)
        if last is not None:
            yield last

    def has(self, path: Path) -> bool:
        """Return whether an earlier run scored it."""
        return path in self._done

    def add(self, scored: FileScore) -> None:
        """Write the scores of a file, all at once."""
        lines = "".join(self._encode(row(scored, channel)) for channel in scored.channels)
        self._file.write(lines.encode("utf-8", "surrogateescape"))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class ParquetFile(LinesFile):
    """A Parquet file, made of lines when all is scored; until then they stand beside it, under .partial."""

    def __init__(self, path: Path) -> None:
        self._path, self._partial = path, path.with_name(path.name + ".partial")
        check_pyarrow()
        if path.exists() and not self._partial.exists():
            self._unpack()
        super().__init__(self._partial, json_line, lambda text: str(json.loads(text)["path"]))

    def _unpack(self) -> None:
        """Make lines of what is there, to go on with them."""
        from pyarrow import ArrowException, parquet

        try:
            with self._partial.open("w", encoding="utf-8") as lines:
                for batch in parquet.ParquetFile(self._path).iter_batches(BATCH):
                    lines.writelines(json_line(line) for line in batch.to_pylist())
        except (ArrowException, OSError) as error:
            self._partial.unlink(missing_ok=True)
            message = f"{self._path} is not a Parquet file that can be gone on with"
            raise BadInputError(message, "name another file with --out") from error

    def close(self) -> None:
        """Write the file that was asked for."""
        super().close()
        from pyarrow import parquet

        schema = schema_of(COLUMNS)
        made = self._path.with_name(self._path.name + ".new")
        with parquet.ParquetWriter(made, schema) as writer, self._partial.open(encoding="utf-8") as lines:
            for given in _batches(lines):
                writer.write_table(table_of(given, schema))
        made.replace(self._path)
        self._partial.unlink()


def schema_of(columns: Sequence[str]) -> Schema:
    """Return the types of the columns."""
    import pyarrow

    return pyarrow.schema([(name, pyarrow.float64() if name in NUMBERS else pyarrow.string()) for name in columns])


def table_of(rows: Sequence[Sequence[Any]], schema: Schema) -> Any:
    """Make a pyarrow table of rows, each with the columns of the schema."""
    import pyarrow

    return pyarrow.Table.from_pylist([dict(zip(schema.names, values, strict=True)) for values in rows], schema)


def _batches(lines: Iterator[str]) -> Iterator[list[list[Any]]]:
    given: list[list[Any]] = []
    for line in lines:
        known = json.loads(line)
        given.append([known[name] for name in COLUMNS] if "family" in known else flat(known))
        if len(given) == BATCH:
            yield given
            given = []
    if given:
        yield given


def check_pyarrow() -> None:
    """Check that pyarrow is installed. Raises BadInputError where it is not."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        hint = "pip install 'deepfake-speech-monitor[parquet]', or name a .csv or .jsonl file"
        raise BadInputError("Parquet needs the package pyarrow", hint)


def open_table(path: Path) -> LinesFile:
    """Return the kind of file that the ending of its name says. Raises BadInputError."""
    kinds: Mapping[str, Callable[[], LinesFile]] = {
        ".csv": lambda: LinesFile(path, csv_line, _csv_path, csv_line(None)),
        ".jsonl": lambda: LinesFile(path, json_line, lambda text: str(json.loads(text)["path"])),
        ".parquet": lambda: ParquetFile(path),
    }
    if path.suffix.lower() not in kinds:
        raise BadInputError(f"--out {path} ends in none of {', '.join(kinds)}", "end the name in one of these")
    return kinds[path.suffix.lower()]()


def _csv_path(text: str) -> str:
    values: Sequence[str] = next(csv.reader([text]))
    return dict(zip(COLUMNS, values, strict=True))["path"]
