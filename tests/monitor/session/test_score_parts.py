"""The two Parquet tables of an archive: exactly one row a file and channel, whatever was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from monitor.errors import BadInputError
from monitor.session.path_set import PathSet
from monitor.session.score_parts import ScoreParts

pyarrow = pytest.importorskip("pyarrow")


def row(name: str, channel: str = "mono") -> dict[str, object]:
    numbers = {"p_fake": 0.5, "llr": 0.25, "net_speech_s": 1.0, "duration_s": 2.0}
    return {"path": name, "channel": channel, "state": "clear", "families": {}, **numbers}


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder, or one in a store of fsspec."""
    if request.param == "folder":
        yield str(tmp_path / "out")
        return
    fsspec = pytest.importorskip("fsspec")
    name = f"/{uuid4().hex}"
    yield f"memory://{name}/out"
    fsspec.filesystem("memory").rm(name, recursive=True)


def table(place: str, kind: str) -> list[dict[str, object]]:
    parts = ScoreParts(place)
    store, folder = parts._store, parts._folders[kind]
    names = parts._parts(kind)
    parts.close()
    from pyarrow import parquet

    return [
        line for name in names for line in parquet.read_table(store.open_input_file(f"{folder}/{name}")).to_pylist()
    ]


def test_what_was_written_is_done_and_is_not_written_again(place: str) -> None:
    parts = ScoreParts(place)
    assert parts.add("a.wav", [row("a.wav", "left"), row("a.wav", "right")], [])
    assert parts.add("b.wav", [], [("error", "b.wav is no audio", "convert it")])
    assert not parts.add("a.wav", [row("a.wav")], [])
    parts.close()
    again = ScoreParts(place)
    assert ["a.wav" in again.done, "b.wav" in again.done, "c.wav" in again.done] == [True, True, False]
    assert not again.add("b.wav", [row("b.wav")], [])
    assert again.add("c.wav", [row("c.wav")], [("warning", "c.wav: ended early", "")])
    again.close()
    assert [(line["path"], line["channel"]) for line in table(place, "scores")] == [
        ("a.wav", "left"),
        ("a.wav", "right"),
        ("c.wav", "mono"),
    ]
    assert [(line["path"], line["severity"]) for line in table(place, "errors")] == [
        ("b.wav", "error"),
        ("c.wav", "warning"),
    ]


def test_what_an_interrupted_run_left_does_not_count(place: str) -> None:
    parts = ScoreParts(place)
    parts.add("a.wav", [row("a.wav")], [("warning", "x", "")])
    parts.close()
    store = parts._store
    (name,) = parts._parts("scores")
    store.move(f"{parts._folders['scores']}/{name}", f"{parts._folders['scores']}/{name}.unfinished")
    again = ScoreParts(place)
    assert "a.wav" not in again.done
    again.add("a.wav", [row("a.wav")], [("warning", "x", "")])
    again.close()
    assert len(table(place, "scores")) == len(table(place, "errors")) == 1


def test_a_second_program_is_refused_and_a_damaged_part_is_named(tmp_path: Path) -> None:
    parts = ScoreParts(tmp_path)
    with pytest.raises(BadInputError, match="in use"):
        ScoreParts(tmp_path)
    parts.close()
    (tmp_path / "scores" / "part-0.parquet").write_text("no scores")
    with pytest.raises(BadInputError, match=r"part-0\.parquet holds no scores"):
        ScoreParts(tmp_path)


def test_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot be gone on with"):
        ScoreParts(tmp_path / "file" / "out")
    with pytest.raises(BadInputError, match="cannot be opened"):
        ScoreParts("nosuch://place/out")


def test_a_set_of_paths_knows_each_path_once_however_many_there_are() -> None:
    paths = PathSet(f"{i}.wav" for i in range(1000))
    assert all(paths.add(f"{i}.wav") == (i >= 1000) for i in range(70_000))
    assert len(paths) == 70_000
    assert not any(paths.add(f"{i}.wav") for i in range(70_000))
    assert "70000.wav" not in paths
