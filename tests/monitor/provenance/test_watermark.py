"""The Perth watermark, put into speech by its own library and found again; and what is not taken for one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("perth", reason="the extra watermark is not installed")

from voices import Audio, voice

from monitor.config.provenance import ProvenanceSection
from monitor.errors import ConfigError
from monitor.provenance.provenance_reader import ProvenanceReader
from monitor.provenance.watermark import PerthReader, is_readable

RATE = 16000


@pytest.fixture(scope="module")
def reader() -> PerthReader:
    return PerthReader()


@pytest.fixture(scope="module")
def marked(reader: PerthReader) -> Audio:
    return np.asarray(reader.network.apply_watermark(voice(12.0), RATE), np.float32)


def test_a_watermark_is_found_through_a_telephone(reader: PerthReader, marked: Audio, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, marked[::2], RATE // 2, subtype="ULAW")
    mark = reader.read(path)
    assert mark is not None
    assert (mark.kind, mark.generator, mark.valid, mark.source_types) == ("watermark", "Perth", None, ())
    assert mark.reason == "found in mono: 2 of 2 stretches of 10 s; it names nobody and is not signed"


def test_it_is_found_in_one_channel_and_one_stretch(reader: PerthReader, marked: Audio, tmp_path: Path) -> None:
    plain = voice(20.0)
    other = np.concatenate([plain[: 10 * RATE], marked[: 10 * RATE]])
    soundfile.write(tmp_path / "call.wav", np.stack([plain, other], axis=1), RATE)
    mark = reader.read(tmp_path / "call.wav")
    assert mark is not None
    assert mark.reason.startswith("found in right: 1 of 2 stretches of 10 s;")


def test_one_stretch_of_a_long_channel_is_no_finding(reader: PerthReader, marked: Audio, tmp_path: Path) -> None:
    """Marked speech, as an hour of unmarked speech may seem to hold it for ten seconds."""
    soundfile.write(tmp_path / "call.wav", np.concatenate([marked[: 10 * RATE], voice(110.0)]), RATE)
    assert reader.read(tmp_path / "call.wav") is None


@pytest.mark.parametrize("seconds", [0.01, 1.0, 12.0])
def test_speech_without_one_has_none(reader: PerthReader, tmp_path: Path, seconds: float) -> None:
    soundfile.write(tmp_path / "call.wav", voice(seconds), RATE)
    assert reader.read(tmp_path / "call.wav") is None


def test_what_is_no_recording_has_none(reader: PerthReader, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert reader.read(tmp_path / "notes.txt") is None


def test_the_network_itself_is_not_asked_about_silence_and_tones(reader: PerthReader) -> None:
    """It gives what is not a number for silence, and takes some tones for marked."""
    silence, time = np.zeros(10 * RATE, np.float32), np.arange(10 * RATE) / RATE
    tone = (0.3 * np.sin(1600 * time)).astype(np.float32)
    assert np.isnan(reader.confidence(silence))
    assert reader.confidence(tone) > 0.9
    assert not is_readable(silence)
    assert not is_readable(tone)
    assert not is_readable(np.full(10 * RATE, np.nan, np.float32))
    assert is_readable(voice(10.0))


def test_it_is_looked_for_where_the_settings_say_so(marked: Audio, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, marked, RATE)
    assert ProvenanceReader(ProvenanceSection()).read(path) == ()
    (mark,) = ProvenanceReader(ProvenanceSection(watermark=True)).read(path)
    assert mark.kind == "watermark"


def test_opening_it_writes_nothing_and_leaves_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    PerthReader()
    assert capsys.readouterr().out == ""
    assert "pkg_resources" not in sys.modules


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "perth"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "perth", None)
    with pytest.raises(ConfigError) as caught:
        ProvenanceReader(ProvenanceSection(watermark=True))
    assert caught.value.hint.startswith('pip install "deepfake-speech-monitor[watermark]"')
