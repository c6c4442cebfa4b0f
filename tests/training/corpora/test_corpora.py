"""Lists of clips from manifests and folders, and the bank that holds their audio."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from training.corpora.bank import build_bank, read_audio
from training.corpora.clips import Clip, CorpusError, by_split, load_manifest, split_by_speaker
from training.corpora.layouts import load_corpus, load_folder

HEADER = "path,label,part,system,family,speaker,pair,language,split,native_sample_rate\n"


def _write(path: Path, x: np.ndarray, rate: int = 16000) -> Path:  # type: ignore[type-arg]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x, rate)
    return path


def _sine(n: int, rate: int = 16000, hz: float = 440.0) -> np.ndarray:  # type: ignore[type-arg]
    return 0.1 * np.sin(2 * np.pi * hz * np.arange(n) / rate)


def test_manifest_with_all_columns(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(
        HEADER
        + "a/1.flac,bonafide,lab,bonafide,bonafide,anna,p1,en,train,22050\n"
        + "b/1.flac,spoof,lab,world,signal-vocoder,anna,p1,en,dev,\n"
    )
    real, fake = load_manifest(tmp_path / "m.csv")
    assert real == Clip(
        tmp_path / "a/1.flac", 0, "bonafide", "bonafide", "anna", "p1", "en", "lab", "train", native_rate=22050
    )
    assert (fake.label, fake.system, fake.family, fake.native_rate) == (1, "world", "signal-vocoder", 0)
    assert by_split([real, fake], "dev") == [fake]


def test_manifest_with_two_columns(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("path,label\nx.wav,spoof\n")
    assert load_manifest(tmp_path / "m.csv") == [Clip(tmp_path / "x.wav", 1, "", "", "")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "lists no clips"),
        ("path,label\n", "lists no clips"),
        ("file,label\nx,spoof\n", "lacks the column path"),
        ("path,label\nx,fake\n", "line 2: label 'fake'; write bonafide or spoof"),
        ("path,label,native_sample_rate\nx,spoof,16k\n", "line 2: native_sample_rate '16k'"),
    ],
)
def test_manifest_faults(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(CorpusError, match=says):
        load_manifest(tmp_path / "m.csv")


def test_missing_manifest_and_folder(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="No such file"):
        load_manifest(tmp_path / "none.csv")
    with pytest.raises(CorpusError, match="there is no folder"):
        load_folder(tmp_path / "none")
    (tmp_path / "gt").mkdir()
    with pytest.raises(CorpusError, match="holds no folder with audio"):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    ("folder", "label", "family"),
    [
        ("gt", 0, "bonafide"),
        ("real", 0, "bonafide"),
        ("Genuine", 0, "bonafide"),
        ("diffwave", 1, "diffusion-vocoder"),
        ("melgan", 1, "gan-vocoder"),
        ("parallel_wave_gan", 1, "gan-vocoder"),
        ("wavegrad", 1, "diffusion-vocoder"),
        ("wavenet", 1, "autoregressive-vocoder"),
        ("wavernn", 1, "autoregressive-vocoder"),
        ("my-vocoder", 1, "my-vocoder"),
    ],
)
def test_folder_of_classes(tmp_path: Path, folder: str, label: int, family: str) -> None:
    name = "103_1240_000000_000001" + ("_gen" if label else "")
    _write(tmp_path / folder / f"{name}.wav", _sine(1600))
    (clip,) = load_corpus(tmp_path)
    assert (clip.label, clip.family, clip.speaker, clip.pair) == (label, family, "103", "103_1240_000000_000001")
    assert clip.system == ("bonafide" if label == 0 else folder)


def test_a_manifest_in_a_folder_wins(tmp_path: Path) -> None:
    _write(tmp_path / "gt" / "a.wav", _sine(1600))
    (tmp_path / "manifest.csv").write_text("path,label\nx.wav,spoof\n")
    assert [c.path.name for c in load_corpus(tmp_path)] == ["x.wav"]


def test_splits_share_no_speaker_and_do_not_move() -> None:
    clips = [Clip(Path(f"{i}.wav"), i % 2, "", "", f"s{i % 100}") for i in range(1000)]
    train, dev = split_by_speaker(clips, 0.2, seed=4)
    assert not {c.speaker for c in train} & {c.speaker for c in dev}
    assert len(train) + len(dev) == 1000
    assert 80 < len(dev) < 320
    assert split_by_speaker(clips[:500], 0.2, seed=4)[1] == [c for c in clips[:500] if c in dev]
    assert split_by_speaker(clips, 0.2, seed=5)[1] != dev


def test_bank_holds_every_clip_at_one_level_without_runs_of_zeros(tmp_path: Path) -> None:
    gated = _sine(16000)
    gated[4000:8000] = 0.0
    paths = [
        _write(tmp_path / "a.wav", gated),
        _write(tmp_path / "b.wav", 3.0 * _sine(44100, 44100), 44100),
        _write(tmp_path / "c.wav", np.stack([_sine(8000), _sine(8000)], axis=1), 8000),
    ]
    clips = [Clip(p, 0, "", "", "") for p in paths]
    calls: list[tuple[int, int]] = []
    bank = build_bank(clips, tmp_path / "cache", 1, lambda *c: calls.append(c))
    assert calls[-1] == (3, 3)
    assert np.diff(bank.bounds).tolist() == [16000, 16000, 16000]
    for i in range(3):
        x = bank.clip(i)
        assert x.dtype == np.float32
        assert float(np.abs(x).max()) == pytest.approx(0.5, abs=0.01)
    quiet = bank.clip(0)[4000:8000]
    assert float(np.abs(quiet).max()) < 1e-4
    assert len(np.unique(quiet)) > 1
    power = np.abs(np.fft.rfft(bank.clip(1) * np.hanning(16000)))
    assert int(np.argmax(power)) == 440


def test_bank_is_read_from_the_cache_until_a_file_changes(tmp_path: Path) -> None:
    clip = Clip(_write(tmp_path / "a.wav", _sine(4000)), 0, "", "", "")
    first = build_bank([clip], tmp_path / "cache", 1, lambda *_: None)
    calls: list[tuple[int, int]] = []
    again = build_bank([clip], tmp_path / "cache", 1, lambda *c: calls.append(c))
    assert not calls
    np.testing.assert_array_equal(first.audio, again.audio)
    _write(clip.path, _sine(5000))
    assert len(build_bank([clip], tmp_path / "cache", 1, lambda *_: None).audio) == 5000


def test_bank_names_the_file_that_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(os.urandom(400))
    with pytest.raises(CorpusError, match=r"cannot read .*x\.wav"):
        read_audio(tmp_path / "x.wav")
    with pytest.raises(CorpusError, match=r"cannot read .*gone\.wav"):
        build_bank([Clip(tmp_path / "gone.wav", 0, "", "", "")], tmp_path / "cache", 1, lambda *_: None)
