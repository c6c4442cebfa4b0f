"""training equalise: afterwards nothing cheap tells the classes apart."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal

from training.corpora.clips import CorpusError, load_manifest
from training.evaluate.shortcuts import find_shortcuts
from training.vocoding.equalise import Traits, equalise, find_traits, page_of, partners, trimmed

RATE = 16_000


def speech_like(rng: np.random.Generator, seconds: float, edge: float, floor: float, quiet: float) -> np.ndarray:
    """Noise in syllables, up to edge Hz, over a noise floor (share of full scale), with silence around it."""
    count = int(seconds * RATE)
    loud = np.repeat(rng.random(count // 1600 + 1) > 0.3, 1600)[:count]
    taps = signal.firwin(257, edge, fs=RATE, window=("kaiser", 9.0))
    spoken = np.pad(rng.standard_normal(count) * 0.1 * loud, int(quiet * RATE))
    return signal.fftconvolve(spoken, taps, mode="same") + floor * rng.standard_normal(len(spoken))


def _real(rng: np.random.Generator) -> tuple[float, float, float, float]:
    return rng.uniform(2.5, 3.2), rng.uniform(6500, 7800), 10 ** rng.uniform(-4.0, -3.2), rng.uniform(0.05, 0.2)


def _fake(rng: np.random.Generator) -> tuple[float, float, float, float]:
    return rng.uniform(1.2, 2.2), rng.uniform(4500, 6800), 10 ** rng.uniform(-6.0, -5.0), rng.uniform(0.1, 0.5)


def make_pages(folder: Path, count: int, each: int) -> Path:
    """So many pages of recordings with a wide band and noise, and as many fakes of each, which are narrower, cleaner,
    shorter and begin later.
    """
    rng = np.random.default_rng(3)
    rows = ["path,label,part,system,detail,speaker,pair,split,origin"]
    for page in range(count):
        for i in range(2 * each):
            real = i < each
            x = speech_like(rng, *(_real(rng) if real else _fake(rng)))
            name = f"{page}-{i}.flac"
            soundfile.write(folder / name, x, RATE)
            label, ending = ("bonafide", "wav") if real else ("spoof", "mp3")
            rows.append(f"{name},{label},pages,{label},own/page{page},,,train,own/page{page}: {i}.{ending}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "manifest.csv"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    return make_pages(tmp_path, 2, 4)


@pytest.mark.slow
def test_cheap_cues_are_gone_afterwards(tmp_path: Path) -> None:
    """Before, any of them is enough; afterwards none of length, silence, bandwidth tells much in 160 clips."""
    pages = make_pages(tmp_path, 8, 10)
    before = {s.name: s.auc for s in find_shortcuts(load_manifest(pages), lambda *_: None)}
    assert min(before[name] for name in ("length", "silence", "bandwidth")) > 0.8, before
    out = equalise([pages], tmp_path / "out", lambda *_: None, split="train")
    clips = load_manifest(out)
    assert {c.speaker for c in clips} == {f"own/page{i}" for i in range(8)}
    after = {s.name: s.auc for s in find_shortcuts(clips, lambda *_: None)}
    assert max(after.values()) < 0.75, (before, after)


def test_each_clip_keeps_the_lower_edge_and_the_higher_floor(pages: Path, tmp_path: Path) -> None:
    """No clip reaches above the fakes' band or below the recordings' noise, or is longer than the fakes."""
    out = equalise([pages], tmp_path / "out", lambda *_: None, split="train")
    for clip in load_manifest(out):
        x, _ = soundfile.read(clip.path, dtype="float32")
        traits = find_traits(trimmed(x), "a.wav")
        assert traits.edge < 7400
        assert traits.floor > -80
        assert len(x) <= 2.35 * RATE


def test_the_order_of_two_clips_does_not_matter() -> None:
    one, other = Traits(7000.0, -70.0, 900, False), Traits(5000.0, -60.0, 1200, True)
    assert one.common(other) == other.common(one) == Traits(5000.0, -60.0, 900, True)
    assert Traits(1.0, -200.0, 5, False).common(one).edge == 3200.0


def test_partners_come_from_the_same_page_or_else_from_any() -> None:
    rows = [{"label": "bonafide"}, {"label": "spoof"}, {"label": "spoof"}, {"label": "bonafide"}]
    found = partners(rows, ["a", "a", "b", "a"], seed=1)
    assert found[0] == found[3] == 1
    assert {found[1], found[2]} <= {0, 3}
    with pytest.raises(CorpusError, match="bona fide and spoof"):
        partners(rows[1:3], ["a", "a"], seed=1)


def test_a_page_is_the_detail_that_the_origin_begins_with() -> None:
    assert page_of({"detail": "a/b", "origin": "a/b: x.wav", "part": "pages"}) == "a/b"
    assert page_of({"detail": "LibriSpeech", "origin": "c/d: x.wav", "part": "lab"}) == "lab"


def test_it_goes_on_where_it_stopped(pages: Path, tmp_path: Path) -> None:
    out = equalise([pages], tmp_path / "out", lambda *_: None, split="train")
    rows = list(csv.DictReader(out.open()))
    first = out.parent / rows[0]["path"]
    kept, stamp = first.read_bytes(), (out.parent / rows[1]["path"]).stat().st_mtime_ns
    first.unlink()
    equalise([pages], tmp_path / "out", lambda *_: None, split="train")
    assert first.read_bytes() == kept
    assert (out.parent / rows[1]["path"]).stat().st_mtime_ns == stamp
