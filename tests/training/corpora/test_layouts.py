"""The public corpora of the field, each as a tree of empty files with its own protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from training.corpora.clips import CorpusError
from training.corpora.layouts import LAYOUTS, load_corpus, load_folder

Row = tuple[str, int, str, str, str, str]


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def rows(root: Path) -> list[Row]:
    """(file, label, family, system, speaker, split) of every clip."""
    clips = load_folder(root)
    return sorted((c.path.name, c.label, c.family, c.system, c.speaker, c.split) for c in clips)


def layout_of(root: Path) -> str:
    return next(name for name, layout in LAYOUTS.items() if layout.fits(root))


def test_asvspoof_2019(tmp_path: Path) -> None:
    protocols = tmp_path / "ASVspoof2019_LA_cm_protocols"
    text(
        protocols / "ASVspoof2019.LA.cm.train.trn.txt",
        "LA_0079 LA_T_1138215 - - bonafide",
        "LA_0079 LA_T_1271820 - A01 spoof",
        "LA_0090 LA_T_9999999 - A05 spoof",
    )
    text(protocols / "ASVspoof2019.LA.cm.dev.trl.txt", "LA_0069 LA_D_1047731 - A05 spoof")
    text(protocols / "ASVspoof2019.LA.cm.eval.trl.txt", "LA_0039 LA_E_2834763 - A19 spoof")
    touch(tmp_path, *(f"ASVspoof2019_LA_train/flac/{n}.flac" for n in ("LA_T_1138215", "LA_T_1271820")))
    touch(tmp_path, "ASVspoof2019_LA_dev/flac/LA_D_1047731.flac", "ASVspoof2019_LA_eval/flac/LA_E_2834763.flac")
    assert rows(tmp_path) == [
        ("LA_D_1047731.flac", 1, "voice-conversion", "A05", "LA_0069", "dev"),
        ("LA_E_2834763.flac", 1, "voice-conversion", "A19", "LA_0039", "test"),
        ("LA_T_1138215.flac", 0, "bonafide", "bonafide", "LA_0079", "train"),
        ("LA_T_1271820.flac", 1, "end-to-end-tts", "A01", "LA_0079", "train"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "LA_0009 LA_E_9332881 alaw ita_tx A07 spoof notrim eval",
        "LA_0009 LA_E_9332881 nocodec asvspoof A07 spoof notrim progress traditional_vocoder - - - -",
    ],
)
def test_asvspoof_2021(tmp_path: Path, line: str) -> None:
    text(tmp_path / "keys/LA/CM/trial_metadata.txt", line)
    text(tmp_path / "keys/LA/ASV/trial_metadata.txt", "LA_0009 LA_E_9332881 x - target")
    touch(tmp_path, "flac/LA_E_9332881.flac")
    assert rows(tmp_path) == [("LA_E_9332881.flac", 1, "end-to-end-tts", "A07", "LA_0009", "test")]


def test_asvspoof_5(tmp_path: Path) -> None:
    text(tmp_path / "ASVspoof5.train.tsv", "T_4850 T_0000000000 F - - - AC3 A05 spoof -")
    text(tmp_path / "ASVspoof5.dev.track_1.tsv", "D_0062 D_0000000022 F - - - - bonafide bonafide -")
    touch(tmp_path, "flac_T/T_0000000000.flac", "flac_D/D_0000000022.flac")
    assert [(r[0], r[1], r[4], r[5]) for r in rows(tmp_path)] == [
        ("D_0000000022.flac", 0, "D_0062", "dev"),
        ("T_0000000000.flac", 1, "T_4850", "train"),
    ]


def test_in_the_wild(tmp_path: Path) -> None:
    text(tmp_path / "release/meta.csv", "file,speaker,label", "0.wav,Alec Guinness,spoof", "1.wav,Alan Watts,bona-fide")
    touch(tmp_path, "release/0.wav", "release/1.wav")
    assert rows(tmp_path) == [
        ("0.wav", 1, "unknown", "unknown", "Alec Guinness", "test"),
        ("1.wav", 0, "bonafide", "bonafide", "Alan Watts", "test"),
    ]


def test_fake_or_real(tmp_path: Path) -> None:
    touch(tmp_path, "training/real/a.wav", "training/fake/b.wav", "validation/fake/c.wav", "testing/real/d.wav")
    assert [(r[0], r[1], r[5]) for r in rows(tmp_path)] == [
        ("a.wav", 0, "train"),
        ("b.wav", 1, "train"),
        ("c.wav", 1, "dev"),
        ("d.wav", 0, "test"),
    ]


def test_wavefake(tmp_path: Path) -> None:
    touch(tmp_path, "LJSpeech-1.1/wavs/LJ001-0001.wav", "ljspeech_hifiGAN/LJ001-0001_gen.wav")
    touch(tmp_path, "ljspeech_waveglow/LJ001-0001.wav", "jsut_multi_band_melgan/BASIC5000_0001_gen.wav")
    touch(tmp_path, "common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech/gen_0.wav")
    found = {c.path.parent.name: c for c in load_folder(tmp_path)}
    assert {name: (c.label, c.family) for name, c in found.items()} == {
        "wavs": (0, "bonafide"),
        "ljspeech_hifiGAN": (1, "gan-vocoder"),
        "ljspeech_waveglow": (1, "flow-vocoder"),
        "jsut_multi_band_melgan": (1, "gan-vocoder"),
        "common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech": (1, "end-to-end-tts"),
    }
    assert found["wavs"].pair == found["ljspeech_hifiGAN"].pair == "LJ001-0001"
    assert found["wavs"].speaker == found["ljspeech_hifiGAN"].speaker == "ljspeech"


def test_librisevoc_is_a_folder_of_classes(tmp_path: Path) -> None:
    touch(tmp_path, "gt/19_198_000000_000002.wav", "wavegrad/19_198_000000_000002_gen.wav")
    assert layout_of(tmp_path) == "classes"
    assert rows(tmp_path) == [
        ("19_198_000000_000002.wav", 0, "bonafide", "bonafide", "19", "train"),
        ("19_198_000000_000002_gen.wav", 1, "diffusion-vocoder", "wavegrad", "19", "train"),
    ]


def no_audio(root: Path) -> None:
    text(root / "ASVspoof2019.LA.cm.train.trn.txt", "LA_0079 LA_T_1 - - bonafide")


def bad_line(root: Path) -> None:
    text(root / "ASVspoof2019.LA.cm.train.trn.txt", "LA_0079 LA_T_1 bonafide")


def bad_label(root: Path) -> None:
    text(root / "meta.csv", "file,speaker,label", "0.wav,x,fake")


def lacking(root: Path) -> None:
    text(root / "meta.csv", "file,speaker,label", "0.wav,x,spoof")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (no_audio, "none of the audio"),
        (bad_line, "line 1: not of the form"),
        (bad_label, "line 2: label 'fake'"),
        (lacking, "no file 0.wav"),
    ],
)
def test_a_corpus_that_is_not_whole_is_said(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    make(tmp_path)
    with pytest.raises(CorpusError, match=says):
        load_corpus(tmp_path)


@pytest.mark.parametrize("names", [(), ("readme.txt",)])
def test_a_folder_without_audio_is_said(tmp_path: Path, names: Sequence[str]) -> None:
    touch(tmp_path, *names)
    with pytest.raises(CorpusError, match="put each class into a folder"):
        load_corpus(tmp_path)
