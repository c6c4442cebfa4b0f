"""When a training has learned enough, which weights are kept then, and what it draws and writes on the way."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from model.checkpoint import describe, load_detector, read_detector
from training.cli.main import app
from training.corpora.bank import build_bank
from training.corpora.splits import gather
from training.learn import prepare
from training.learn.curves import RunLog, draw_curves
from training.learn.training_loop import best_validation, is_plateau
from training.learn.validation import validate

pytestmark = pytest.mark.usefixtures("small_training")


def _rows(*areas: float) -> list[dict[str, Any]]:
    return [
        {"step": 10 * i, "spent_s": i, "loss": 1.0, "a_auc": x, "b_auc": x, "a_eer": 0.1}
        for i, x in enumerate(areas, 1)
    ]


@pytest.mark.parametrize(
    ("areas", "best", "waited"),
    [([0.5], 0, 0), ([0.5, 0.6, 0.6], 1, 1), ([0.9, 0.6, 0.8], 0, 2), ([0.5, 0.6, 0.7], 2, 0)],
)
def test_patience_counts_the_looks_since_the_best(areas: list[float], best: int, waited: int) -> None:
    history = _rows(*areas)
    assert best_validation(history) == best
    for patience in (1, 2, 3):
        assert is_plateau(history, patience) == (waited >= patience)
    assert not is_plateau(history, 0)
    assert not is_plateau([], 2)


def test_what_counts_is_the_mean_over_the_parts() -> None:
    history = [{"a_auc": 0.9, "b_auc": 0.5, "loss": 0.1}, {"a_auc": 0.8, "b_auc": 0.7, "loss": 0.9}]
    assert best_validation(history) == 1


def _words(corpus: Path, out: Path, *more: str) -> list[str]:
    words = ["train", "--corpus", str(corpus), "--out", str(out), "--cache", str(corpus.parent / "cache")]
    words += ["--rows", "8", "--seconds", "2", "--network", "lstm", "--hidden", "16", "--filters", "24", "--versions"]
    words += ["2", "--workers", "1", "--device", "cpu", "--validate-every", "10", "--augment", "0", "--dropout", "0"]
    return [*words, "--learning-rate", "0.02", "--average", "0.9", *more]


def _run(words: list[str]) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def _history(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "history.json").read_text())
    return found


@pytest.mark.slow
def test_a_run_stops_once_nothing_gets_better_and_keeps_the_best(corpus: Path, tmp_path: Path) -> None:
    """The area reaches 1 within some looks, and there is nothing better."""
    result = _run(_words(corpus, tmp_path, "--steps", "2000", "--patience", "2"))
    history = _history(tmp_path)
    best = history[best_validation(history)]
    assert history[-1]["step"] < 500
    assert len(history) == best_validation(history) + 3
    assert f"stopped at step {history[-1]['step']}: nothing better in 2 validations" in result
    assert f"keeps the weights of step {best['step']}" in result
    path = tmp_path / "weights.safetensors"
    assert json.loads(describe(path)["training"])["dev"] == best
    dev = prepare.dev_set(build_bank(gather([corpus])[1], corpus.parent / "cache", 1, lambda *_: None))
    again = validate(read_detector(path), dev)
    assert again == pytest.approx({k: best[k] for k in again}, abs=1e-6)
    assert again["lab_loss"] != pytest.approx(history[-1]["lab_loss"], abs=1e-6), "the last weights are others"
    weights = describe(path)["sha256"]
    _run(_words(corpus, tmp_path, "--steps", "2000", "--patience", "2"))
    assert (len(_history(tmp_path)), describe(path)["sha256"]) == (len(history), weights), "it is not taken up again"
    _run(_words(corpus, tmp_path, "--steps", "2000", "--patience", "3"))
    assert len(_history(tmp_path)) > len(history), "unless there is more patience"


@pytest.mark.slow
def test_the_network_that_hears_whole_clips_has_patience_too(corpus: Path, tmp_path: Path) -> None:
    words = ["baseline", "--corpus", str(corpus), "--out", str(tmp_path), "--cache", str(corpus.parent / "cache")]
    words += ["--rows", "2", "--workers", "1", "--device", "cpu", "--learning-rate", "0"]
    result = _run([*words, "--validate-every", "1", "--steps", "9", "--patience", "1"])
    assert "stopped at step 2: nothing better in 1 validations" in result
    assert [row["step"] for row in _history(tmp_path)] == [1, 2]
    assert _history(tmp_path)[0]["dev_loss"] == pytest.approx(np.log(4), abs=0.2), "chance, of four classes"


def test_curves_show_training_and_every_part() -> None:
    history = [row | {"accuracy": 0.6, "a_accuracy": 0.7, "a_loss": 0.5} for row in _rows(0.5, 0.6, 0.7)]
    history[2]["a_eer"], history[0]["loss"] = 0.05, 2.0
    loss, accuracy, error = draw_curves(history).axes
    assert [line.get_label() for line in loss.lines] == ["training", "a"]
    assert loss.lines[0].get_xydata().tolist() == [[10, 2.0], [20, 1.0], [30, 1.0]]
    assert [line.get_label() for line in accuracy.lines] == ["training", "a"]
    assert error.lines[0].get_ydata()[-1] == 0.05
    assert draw_curves(history[:1]) is None


@pytest.mark.slow
def test_a_run_draws_its_curves_and_tells_tensorboard(corpus: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _run(_words(corpus, tmp_path, "--steps", "20", "--tensorboard"))
    _run(_words(corpus, tmp_path, "--steps", "30", "--tensorboard"))
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    history = _history(tmp_path)
    for tag, name in {"eer/lab": "lab_eer", "loss/training": "loss", "accuracy/wild": "wild_accuracy"}.items():
        shown = [(e.step, e.value) for e in events.Scalars(tag)]
        assert shown == [(row["step"], pytest.approx(row[name], abs=1e-6)) for row in history]
    assert [row["step"] for row in history] == [10, 20, 30]
    assert load_detector(tmp_path / "weights.safetensors").config.calibration.scale > 0


def test_without_tensorboard_it_says_so_before_it_begins(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    done = CliRunner().invoke(app, _words(corpus, tmp_path / "run", "--tensorboard"))
    assert isinstance(done.exception, ValueError)
    assert "install the extra" in str(done.exception)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="install the extra"):
        RunLog(tmp_path, tensorboard=True)
