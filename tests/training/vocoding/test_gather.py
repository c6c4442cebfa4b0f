"""Pieces of real speech cut out of collections of recordings, with the speakers of a dev split kept out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from tests.tiny_corpus import voice
from training.cli.main import app
from training.corpora.bank import read_audio
from training.corpora.clips import CorpusError, load_manifest, read_rows
from training.vocoding.gather import keep_dev_out, pieces, read_recipe

RECIPE = """
[[source]]
folder = "books"
files = "*/*.wav"
speaker = '^(\\d+)/'
name = "book-"
language = "en"
licence = "CC BY 4.0"
seconds = 4
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three speakers of two recordings; the manifest keeps speaker 7 and a recording of speaker 8 for its dev split."""
    for number, speaker in enumerate(["7", "8", "9"]):
        for take in range(2):
            path = tmp_path / "clones/books" / speaker / f"{speaker}-{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, voice(10 * number + take, seconds=5.0), 16_000)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "manifest.csv").write_text(
        "path,label,speaker,split,origin\n"
        "a.flac,bonafide,book-7,dev,books: 7/7-0.wav\n"
        "b.flac,bonafide,somebody,dev,books: 8/8-1.wav\n"
        "c.flac,bonafide,book-9,train,books: 9/9-0.wav\n"
    )
    return tmp_path


def _gather(root: Path, *more: str) -> Path:
    out = root / "out"
    arguments = ["gather", str(root / "recipe.toml"), "--root", str(root / "clones"), "--out", str(out), *more]
    result = CliRunner().invoke(app, [*arguments, "--seconds", "3", "--workers", "1"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return out / "manifest.csv"


def test_a_source_names_its_part_and_the_command_the_split(root: Path) -> None:
    recipe = root / "recipe.toml"
    recipe.write_text(RECIPE + 'part = "readers"\n')
    rows = read_rows(_gather(root, "--split", "dev"))
    assert {(row["part"], row["split"]) for row in rows} == {("readers", "dev")}
    recipe.write_text(RECIPE)
    assert {(row["part"], row["split"]) for row in read_rows(_gather(root))} == {("gathered", "train")}


def test_what_a_dev_split_holds_stays_out(root: Path) -> None:
    rows = read_rows(_gather(root, "--keep-out", str(root / "manifest.csv")))
    assert {row["speaker"] for row in rows} == {"book-8", "book-9"}
    assert not any("8-1.wav" in str(row["origin"]) for row in rows)
    assert any("8-0.wav (CC BY 4.0)" in str(row["origin"]) for row in rows)


def test_pieces_are_as_long_as_asked_and_the_manifest_loads(root: Path) -> None:
    clips = load_manifest(_gather(root))
    seconds = {clip.path: len(read_audio(clip.path)) / 16_000 for clip in clips}
    assert all(1.0 <= s <= 3.0 for s in seconds.values())
    for speaker in ("book-7", "book-8", "book-9"):
        assert 2.0 < sum(seconds[c.path] for c in clips if c.speaker == speaker) <= 4.0
    assert {(c.label, c.part, c.language, c.split) for c in clips} == {(0, "gathered", "en", "train")}
    assert len({c.pair for c in clips}) == len(clips)


def test_gathering_again_gives_the_same_bytes(root: Path) -> None:
    first = {p.name: p.read_bytes() for p in _gather(root).parent.rglob("*.*")}
    assert {p.name: p.read_bytes() for p in _gather(root).parent.rglob("*.*")} == first


def test_a_piece_begins_with_speech_and_silence_is_none() -> None:
    speech, pause = voice(1, seconds=2.0).astype(np.float32), np.zeros(24_000, dtype=np.float32)
    (piece,) = pieces(np.concatenate([pause, speech, pause]), 6.0)
    assert 1.8 * 16_000 < len(piece) <= 2.05 * 16_000
    assert np.abs(piece[:1600]).max() > 0.01
    assert list(pieces(np.zeros(100, dtype=np.float32), 6.0)) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no"),
        ("source = 3", "names no"),
        ("[[source]\n", "is not TOML"),
        ("[[source]]\nfolder = 'a'\n", "needs folder, files, speaker, name"),
        (RECIPE + "colour = 'red'\n", "may have folder, files"),
        (RECIPE.replace(r"^(\d+)/", "(("), "not a regular expression"),
        (RECIPE.replace(r"^(\d+)/", r"\d+"), "needs one group"),
    ],
)
def test_a_recipe_that_cannot_be_followed(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(CorpusError, match=says):
        read_recipe(tmp_path / "r.toml")


def test_a_collection_that_is_not_there(root: Path) -> None:
    (root / "recipe.toml").write_text(RECIPE.replace("books", "films"))
    with pytest.raises(CorpusError, match="has no audio"):
        _gather(root)


def test_a_broken_recording_is_passed_over_and_named(root: Path) -> None:
    whole = read_rows(_gather(root))
    (root / "clones/books/8/8-0.wav").write_bytes(b"RIFF no more")
    path = _gather(root)
    assert {row["origin"] for row in read_rows(path)} == {row["origin"] for row in whole if "8-0" not in row["origin"]}


def test_the_recipe_that_ships_can_be_read() -> None:
    sources = read_recipe(Path(__file__).parents[3] / "training/recipes/open-speech.toml")
    assert len(sources) >= 5
    assert all(source.licence for source in sources)


def test_nothing_is_kept_out_without_a_dev_split(root: Path) -> None:
    (root / "manifest.csv").write_text("path,label,speaker,split\na.flac,bonafide,book-7,train\n")
    assert keep_dev_out([root / "manifest.csv"]).speakers == frozenset()
