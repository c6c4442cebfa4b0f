"""training select: which clips a new list holds."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from training.cli.select import select as command
from training.corpora.clips import CorpusError, load_manifest
from training.corpora.select import Selection, select

ROWS = [
    ("r0", "bonafide", "pages", "real", "a/one", "p0", "train"),
    ("f0", "spoof", "pages", "S1", "a/one", "p0", "train"),
    ("f1", "spoof", "pages", "S2", "b/two", "p1", "train"),
    ("f2", "spoof", "pages", "S3", "b/two", "", "train"),
    ("l0", "spoof", "lab", "WORLD", "", "p2", "train"),
    ("d0", "spoof", "pages", "S9", "c/three", "p3", "dev"),
]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "part", "system", "detail", "pair", "split"))
        writer.writerows((f"{name}.flac", *rest) for name, *rest in ROWS)
    return path


def _names(rows: list[dict[str, str]]) -> list[str]:
    return [Path(row["path"]).stem for row in rows]


def test_parts_and_sources_choose_training_clips_and_leave_dev_clips_alone(manifest: Path) -> None:
    assert _names(select([manifest], Selection(parts=["lab"]))) == ["l0", "d0"]
    assert _names(select([manifest], Selection(without=["b/two"], training_only=True))) == ["r0", "f0", "l0"]


def test_more_systems_hold_those_of_fewer_and_all_recordings(manifest: Path) -> None:
    one, two = (set(_names(select([manifest], Selection(systems=n, seed=3)))) for n in (1, 2))
    assert one < two
    assert {"r0", "l0", "d0"} <= one
    assert len(two - {"r0", "l0", "d0"}) == 2


def test_pairs_of_two_lists_never_meet(manifest: Path) -> None:
    rows = select([manifest], Selection(new_pairs="raw-"))
    assert [row["pair"] for row in rows] == ["raw-p0", "raw-p0", "raw-p1", "", "raw-p2", "p3"]


def test_a_choice_that_leaves_nothing_says_where_to_look(manifest: Path) -> None:
    with pytest.raises(CorpusError, match="no training clip fits"):
        select([manifest], Selection(parts=["nosuch"]))


def test_the_command_writes_a_manifest_that_training_reads(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("b/two\n")
    out = tmp_path / "chosen"
    command([manifest], out, part=[], without=tmp_path / "out.txt", systems=0, training_only=False, new_pairs="")
    clips = load_manifest(out / "manifest.csv")
    assert [clip.path for clip in clips] == [tmp_path / f"{name}.flac" for name in ("r0", "f0", "l0", "d0")]
