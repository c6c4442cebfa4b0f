"""A corpus whose labels can be told without listening is found out; one where they cannot is not accused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal
from typer.testing import CliRunner

from training.cli.main import app
from training.corpora.clips import Clip, CorpusError
from training.evaluate.shortcuts import NAMES, describe, find_shortcuts

RATE = 16_000


def make(folder: Path, cheat: str, count: int = 60) -> list[Clip]:
    """Noise by twelve speakers; spoofs differ in one shortcut alone."""
    clips = []
    for i in range(count):
        rng, spoof = np.random.default_rng(i), i % 2
        n = int(RATE * (0.5 + 0.3 * rng.random() + (0.5 if spoof and cheat == "length" else 0.0)))
        x = 0.05 * rng.standard_normal(n)
        if spoof and cheat == "bandwidth":
            x = signal.sosfilt(signal.cheby2(12, 80, 5000, fs=RATE, output="sos"), x)
        if spoof and cheat == "silence":
            x[: RATE // 10] = 0.0
        folder.mkdir(exist_ok=True)
        path = folder / f"{i}.wav"
        soundfile.write(path, x, RATE)
        clips.append(Clip(path, spoof, "x" if spoof else "bonafide", "x", f"speaker{i // 5}"))
    return clips


def found(clips: list[Clip]) -> dict[str, float]:
    return {s.name: s.auc for s in find_shortcuts(clips, lambda *_: None)}


@pytest.mark.parametrize("cheat", ["length", "bandwidth", "silence"])
def test_a_shortcut_is_found_and_named(tmp_path: Path, cheat: str) -> None:
    figures = found(make(tmp_path / "c", cheat))
    assert figures[cheat] > 0.95
    assert figures["all together"] > 0.95
    assert figures["file format"] == pytest.approx(0.5, abs=0.05)


def test_where_there_is_none_nothing_is_found(tmp_path: Path) -> None:
    assert max(found(make(tmp_path / "c", "nothing", 160)).values()) < 0.7


def test_what_is_measured_has_its_unit(tmp_path: Path) -> None:
    x = np.zeros(RATE)
    x[RATE // 4 : RATE // 2] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE // 4) / RATE + 0.1)
    soundfile.write(tmp_path / "x.wav", x, RATE)
    seen = dict(zip(NAMES, describe(Clip(tmp_path / "x.wav", 0, "", "", "")), strict=True))
    assert seen["length"] == pytest.approx(1.0)
    assert seen["leading silence"] == 25
    assert seen["trailing silence"] == 50
    assert seen["share of exact zeros"] == pytest.approx(0.75, abs=0.01)
    assert seen["sample rate of the file"] == RATE


def test_the_bandwidth_of_speech_that_was_cut_off_above(tmp_path: Path) -> None:
    noise = 0.05 * np.random.default_rng(1).standard_normal(RATE)
    soundfile.write(tmp_path / "x.wav", signal.sosfilt(signal.cheby2(12, 80, 4000, fs=RATE, output="sos"), noise), RATE)
    seen = dict(zip(NAMES, describe(Clip(tmp_path / "x.wav", 0, "", "", "")), strict=True))
    assert seen["bandwidth"] == pytest.approx(3800, abs=250)


def test_too_few_speakers_are_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="at least 5 speakers"):
        found(make(tmp_path / "c", "length", 10))


def test_the_command_prints_a_line_for_each(tmp_path: Path) -> None:
    clips = make(tmp_path / "c", "length")
    rows = [f"{c.path},{'spoof' if c.label else 'bonafide'},{c.speaker}" for c in clips]
    (tmp_path / "m.csv").write_text("\n".join(["path,label,speaker", *rows]))
    ran = CliRunner().invoke(app, ["shortcuts", "--corpus", str(tmp_path / "m.csv"), "--split", "all"])
    assert ran.exit_code == 0, ran.output
    assert [line.split("  ")[0] for line in ran.output.splitlines() if "AUC" in line][-1] == "all together"
