"""training leave-out: trains without a family, measures it, and does not do again what is done."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_corpus import make_corpus
from typer.testing import CliRunner

from model.checkpoint import describe
from training.cli import main
from training.corpora.bank import AudioBank
from training.corpora.clips import Clip, CorpusError
from training.learn import leave_out
from training.learn.material import Material

pytestmark = pytest.mark.slow

SMALL = "--rows 8 --seconds 2 --channels 4,4 --hidden 16 --versions 2 --augment 0 --learning-rate 0.01 --workers 1"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus")).parent


@pytest.fixture(scope="module")
def written(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    out = tmp_path_factory.mktemp("out")
    words = ["leave-out", "--corpus", str(corpus), "--out", str(out), "--cache", str(out / "cache"), *SMALL.split()]
    words += ["--steps", "20", "--validate-every", "20", "--device", "cpu", "--fewest", "8"]
    words += ["--family", "gan-vocoder", "--family", "end-to-end-tts"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.learn.material.OTHER_SOUNDS_S", 8)
        done = CliRunner().invoke(main.app, words)
    assert done.exit_code == 0, done.output
    return out, words


def _material(families: str) -> Material:
    """A clip a letter: r is real, others are families; each of 100 samples of its number."""
    clips = [
        Clip(Path(f"{i}.wav"), int(f != "r"), f if f != "r" else "bonafide", f, "") for i, f in enumerate(families)
    ]
    audio = np.repeat(np.arange(len(clips)), 100).astype(np.int16)
    bank = AudioBank(clips, audio, np.arange(len(clips) + 1) * 100)
    return Material(bank, bank, np.stack([audio, audio + 1000]), np.zeros(8, dtype=np.int16))


def test_a_family_is_left_out_whole_and_nothing_else() -> None:
    rest = leave_out.without(_material("rabrab"), "a")
    assert [c.family for c in rest.bank.clips] == ["bonafide", "b"] * 2 == [c.family for c in rest.dev.clips]
    np.testing.assert_array_equal(rest.bank.audio, np.repeat([0, 2, 3, 5], 100))
    np.testing.assert_array_equal(rest.versions, np.stack([rest.bank.audio, rest.bank.audio + 1000]))
    assert rest.bank.bounds.tolist() == [0, 100, 200, 300, 400]


def test_families_are_chosen_by_name_or_by_size() -> None:
    material = _material("raab")
    assert leave_out.choose_families(material, (), 4) == ["a"]
    assert leave_out.choose_families(material, ("b",), 4) == ["b"]
    with pytest.raises(CorpusError, match="has no c; there are a, b"):
        leave_out.choose_families(material, ("c",), 1)
    with pytest.raises(CorpusError, match="of which 0 have 9 clips"):
        leave_out.choose_families(material, (), 9)


def test_the_weights_never_met_the_family(written: tuple[Path, list[str]]) -> None:
    out, _ = written
    learned = {f: json.loads(describe(out / f / "weights.safetensors")["training"]) for f in ("gan-vocoder",)}
    assert learned["gan-vocoder"]["spoof clips"] == {"lab/world": 4, "wild/end-to-end-tts": 4}
    assert learned["gan-vocoder"]["bona fide clips"] == 12


def test_the_report_has_a_row_a_family_and_means(written: tuple[Path, list[str]]) -> None:
    found = json.loads((written[0] / "leave-out.json").read_text())
    rows = {row["family"]: row for row in found["families"]}
    assert list(rows) == ["gan-vocoder", "end-to-end-tts"]
    assert {(r["dev_clips"], r["clips"], r["bona_fide"]) for r in rows.values()} == {(4, 8, 12)}
    values = [r["dev"]["value"] for r in rows.values()]
    assert all(0 <= value <= 1 for value in values)
    assert found["mean_eer_dev"] == pytest.approx(np.mean(values), abs=1e-4)
    assert 0 <= rows["gan-vocoder"]["open_set"]["auroc"] <= 1


def test_what_is_done_is_not_done_again(written: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    out, words = written
    monkeypatch.setattr("training.learn.material.OTHER_SOUNDS_S", 8)
    before = (out / "leave-out.json").read_bytes()
    result = out / "gan-vocoder" / "result.json"
    result.unlink()
    weights = (out / "end-to-end-tts" / "weights.safetensors").stat().st_mtime_ns
    again = CliRunner().invoke(main.app, words)
    assert again.exit_code == 0, again.output
    assert "end-to-end-tts (2 of 2): done before" in again.output
    assert "resumed at step 20" in again.output
    assert (out / "end-to-end-tts" / "weights.safetensors").stat().st_mtime_ns == weights
    assert (out / "leave-out.json").read_bytes() == before


def test_options_are_those_of_train(corpus: Path, tmp_path: Path) -> None:
    wrong = CliRunner().invoke(main.app, ["leave-out", "--corpus", str(corpus), "--out", str(tmp_path), "--speed", "9"])
    assert wrong.exit_code == 2
    assert "No such option" in wrong.output
    assert "--speed" in wrong.output


def test_an_unknown_family_in_the_means_is_passed_over() -> None:
    nothing = {"value": None, "low": None, "high": None}
    some = {"value": 0.25, "low": 0.1, "high": 0.4}
    rows = [
        {"family": f, "dev_clips": n, "clips": 9, "dev": dev, "every": some, "known": some, "open_set": None}
        for f, n, dev in (("a", 0, nothing), ("b", 5, some))
    ]
    assert leave_out.summary(rows)["mean_eer_dev"] == 0.25
    assert leave_out.summary(rows)["mean_auroc_open_set"] is None
    assert leave_out.table(rows)[1].split()[:4] == ["a", "0", "9", "-"]
    assert leave_out.table(rows)[-1].split() == ["mean", "25.0", "25.0", "25.0"]
