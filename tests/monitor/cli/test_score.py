"""`monitor score` over archives: folders, patterns, several processes, files of scores that are gone on with."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from helpers import Ran, Run, assert_one_error, events_of, make_weights, voice, write_wav

from monitor.cli.progress import Progress
from monitor.scores import ChannelScore, FileScore
from monitor.session.find_recordings import Recordings
from monitor.session.score_table import COLUMNS
from monitor.types import State

CALLS = ("a.wav", "deep/b.wav", "deep/er/c.WAV", "z.flac")


@pytest.fixture
def run(run: Run, tmp_path: Path) -> Run:
    """monitor score, beside a folder `calls` with CALLS and files that are none."""
    make_weights(tmp_path / "w.safetensors")
    for i, name in enumerate(CALLS):
        path = tmp_path / "calls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, voice(0.5, hiss=bool(i % 2), seed=i))
    for name in ("notes.txt", ".hidden.wav", "deep/list.csv", "deep/list2.csv"):
        (tmp_path / "calls" / name).write_text("no recording")
    return lambda *words: run("score", *words, "--weights", "w.safetensors")


def paths(ran: Ran) -> list[str]:
    return [line["path"] for line in events_of(ran.out)]


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_scored_with_all_below_it_and_what_was_not_taken_is_said(run: Run) -> None:
    ran = run("calls", "--json")
    assert ran.status == 0
    assert paths(ran) == [f"calls/{name}" for name in ("a.wav", "z.flac", "deep/b.wav", "deep/er/c.WAV")]
    assert ran.err == "not taken, for their names: 2 .csv, 1 .txt; name a file itself to score it\n"


def test_a_pattern_is_scored_as_the_files_it_stands_for(run: Run) -> None:
    assert sorted(paths(run("calls/**/*.[wW]*", "calls/z.flac", "--json"))) == [f"calls/{name}" for name in CALLS]


@pytest.mark.parametrize("words", [("nothing*.wav",), ("empty",), ("calls/a.wav", "empty")])
def test_a_word_that_stands_for_nothing_is_refused_before_anything_is_scored(run: Run, words: tuple[str, ...]) -> None:
    Path("empty").mkdir()
    assert_one_error(run(*words), words[-1])


def test_a_missing_file_is_named_and_the_others_are_scored(run: Run) -> None:
    ran = run("calls/none.wav", "calls/a.wav", "--json")
    assert (ran.status, paths(ran)) == (2, ["calls/a.wav"])
    assert "calls/none.wav" in ran.err


def test_csv_has_a_line_for_each_channel(run: Run) -> None:
    write_wav(Path("two, left and right.wav"), np.stack([voice(1.0), voice(1.0, hiss=True)], axis=1))
    ran = run("two, left and right.wav", "--csv")
    lines = list(csv.DictReader(ran.out.splitlines()))
    assert [(line["path"], line["channel"]) for line in lines] == [
        ("two, left and right.wav", side) for side in ("left", "right")
    ]
    assert [float(line["llr"]) > 0 for line in lines] == [False, True]
    assert list(lines[0]) == list(COLUMNS)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_file_of_scores_is_gone_on_with_where_it_stopped(run: Run, ending: str) -> None:
    def scored() -> list[tuple[str, float]]:
        if ending == "parquet":
            found = pytest.importorskip("pyarrow.parquet").read_table(out).to_pylist()
        else:
            found = table_of(out) if ending == "csv" else events_of(out.read_text())
        return [(str(line["path"]), round(float(line["llr"]), 5)) for line in found]

    if ending == "parquet":
        pytest.importorskip("pyarrow")
    out = Path(f"scores.{ending}")
    assert run("calls/a.wav", "calls/z.flac", "--out", out).status == 0
    before = scored()
    Path("calls/a.wav").write_bytes(b"broken by now, and not read again")
    Path("calls/z.flac").unlink()
    assert run("calls", "-o", out).status == 0
    assert scored()[:2] == before
    assert [path for path, _ in scored()] == [f"calls/{n}" for n in ("a.wav", "z.flac", "deep/b.wav", "deep/er/c.WAV")]
    assert run("calls", "-o", out).out == ""
    assert len(scored()) == 4
    assert not list(Path().glob("*.partial"))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_torn_line_is_scored_again(run: Run, ending: str) -> None:
    out = Path(f"scores.{ending}")
    run("calls", "--out", out)
    whole = out.read_bytes()
    out.write_bytes(whole[:-5])
    run("calls", "--out", out)
    assert sorted(out.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_what_an_interrupted_run_left_of_a_parquet_file_is_gone_on_with(run: Run) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    line = json.loads(run("calls/a.wav", "--json").out) | {"llr": 7.5}
    Path("s.parquet.partial").write_text(json.dumps(line) + "\n" + '{"path": "calls/z.flac", "llr')
    assert run("calls/a.wav", "calls/z.flac", "--out", "s.parquet").status == 0
    found = parquet.read_table("s.parquet").to_pylist()
    assert len(found) == 2
    assert {entry["path"] for entry in found} == {"calls/a.wav", "calls/z.flac"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "scores.xlsx"), ".csv, .jsonl, .parquet"),
        (("--out", "calls/notes.csv"), "cannot be gone on with"),
        (("--out", "none/scores.csv"), "cannot be gone on with"),
        (("--json", "--csv"), "contradict"),
    ],
)
def test_an_impossible_file_of_scores_is_refused(run: Run, words: tuple[str, ...], said: str) -> None:
    Path("calls/notes.csv").write_text("something else\n")
    assert_one_error(run("calls/a.wav", *words), said)
    assert Path("calls/notes.csv").read_text() == "something else\n"


@pytest.mark.realtime
def test_several_processes_score_what_one_does(run: Run) -> None:
    Path("calls/bad.wav").write_text("no recording")
    one, three = run("calls", "--json"), run("calls", "--json", "--workers", "3")
    assert sorted(three.out.splitlines()) == sorted(one.out.splitlines())
    assert (one.status, three.status) == (2, 2)
    assert "calls/bad.wav" in three.err
    Path("w.safetensors").unlink()
    assert_one_error(run("calls/a.wav", "--workers", "2"), "w.safetensors")


def test_recordings_are_found_anew_on_each_way_through(run: Run) -> None:
    assert run("calls/a.wav").status == 0
    found = Recordings(["calls"])
    assert len(list(found)) == 4
    os.remove("calls/a.wav")
    assert len(list(found)) == 3
    assert dict(found.left_out) == {".csv": 2, ".txt": 1}


def test_progress_says_how_far_it_is_how_fast_and_how_long_it_takes() -> None:
    progress = Progress([])
    progress._total = 4
    progress.skip()
    progress.add(FileScore(Path("a"), (ChannelScore("mono", 0.5, 0.0, 1.0, State.CLEAR, {}, 3600.0),)))
    bar = "[############------------] "
    assert progress.line(10.0) == f"{bar}2 of 4 files, 1.0 h of audio, 360 x real time, 20 s left"
