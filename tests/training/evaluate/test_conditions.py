"""training evaluate --matrix --noise --calls --drift: error rates by codec, loss and noise, and results of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import make_weights
from tiny_corpus import make_corpus
from typer.testing import CliRunner

from training.channels.speech_codecs import has_encoder
from training.cli import main
from training.corpora.clips import Clip, CorpusError
from training.evaluate import conditions
from training.evaluate.benchmark_results import headline, read_result
from training.evaluate.conditions import channels_of, codecs_here, stratified

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder that the command wrote, and what it said."""
    root = tmp_path_factory.mktemp("conditions")
    corpus = make_corpus(root / "corpus").parent
    weights = make_weights(root / "hiss.safetensors")
    words = ["evaluate", "--corpus", str(corpus), "--weights", str(weights), "--out", str(root / "out")]
    words += ["--channel", "clean", "--cache", str(root / "cache"), "--rounds", "20", "--workers", "1"]
    words += ["--matrix", "--noise", "--matrix-clips", "12", "--device", "cpu"]
    words += ["--calls", str(RESULTS / "calls.json"), "--drift", str(RESULTS / "drift.json")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conditions, "CODECS", ("clean", "g711-mu"))
        patch.setattr(conditions, "SNRS", (20, 5))
        done = CliRunner().invoke(main.app, words)
    assert done.exit_code == 0, done.output
    return root / "out", done.output.splitlines()


def test_the_matrix_has_every_codec_and_loss(written: tuple[Path, list[str]]) -> None:
    out, result = written
    found: Any = json.loads((out / "report.json").read_text())["conditions"]
    cells = {f"{codec}{loss}" for codec in ("clean", "g711-mu") for loss in ("", "-loss-1", "-loss-5", "-loss-10")}
    assert set(found["eer"]) == cells | {"babble-20", "babble-5"}
    assert (found["clips"], found["codecs"], found["snrs"]) == (12, ["clean", "g711-mu"], [20, 5])
    assert found["eer"]["clean"]["all"]["value"] == 0.0
    assert found["eer"]["g711-mu"]["all"]["value"] > 0.2, "the telephone takes the hiss away"
    assert any(line.startswith("conditions: 10 of 10 channels scored") for line in result)
    assert not list((out.parent / "cache").glob("tmp*")), "the rendered speech of conditions is not kept"


def test_the_page_shows_conditions_and_results(written: tuple[Path, list[str]]) -> None:
    out, _ = written
    page = (out / "report.html").read_text()
    for name in ("matrix", "noise", "calls", "embedding"):
        assert (out / f"{name}.png").stat().st_size > 5000
    for word in ("Codecs and lost packets", "Time to detect", "false alarms per hour", "slope per hour"):
        assert word in page
    assert "measured with other weights" in page


def test_the_clips_of_conditions_keep_parts_classes_and_sentences() -> None:
    clips = [
        Clip(Path(f"{part}-{i}-{label}.wav"), label, "", "", "", pair=f"{part}-{i}", part=part)
        for part, size in (("lab", 100), ("wild", 300))
        for i in range(size)
        for label in (0, 1)
    ]
    rows = stratified(clips, 80)
    assert rows == stratified(clips, 80)
    chosen = [clips[i] for i in rows]
    assert len(chosen) == 80
    assert sum(c.part == "lab" for c in chosen) == 20
    assert sum(c.label for c in chosen) == 40
    assert len({c.pair for c in chosen}) == 40
    assert stratified(clips, 10_000) == list(range(len(clips)))


def test_channels_are_rendered_once() -> None:
    both = channels_of(matrix=True, noise=True)
    assert len(both) == len(set(both)) == 4 * len(codecs_here()) + 5
    assert channels_of(matrix=False, noise=False) == ()
    assert ("amr" in codecs_here()) == has_encoder("libopencore_amrnb")


def test_results_of_another_kind_are_refused(tmp_path: Path) -> None:
    assert read_result(None, "sweep") is None
    with pytest.raises(CorpusError, match="no result of this kind: it has no sweep"):
        read_result(RESULTS / "drift.json", "sweep")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(CorpusError, match="is not JSON"):
        read_result(tmp_path / "x.json", "sweep")
    assert dict(headline({"minutes": 60.0, "flag": True, "at_default": {"detected": 0.4}})) == {
        "minutes": "60",
        "detected": "0.4",
    }
