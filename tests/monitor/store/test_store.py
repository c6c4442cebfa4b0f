"""The parts of the evidence: the history, clips with holes, sums and seals, what is deleted, the queue."""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.config import BLOCK, SAMPLE_RATE
from monitor.audio import Blocks
from monitor.config.schema import Config
from monitor.engine.recorder import Recorder
from monitor.errors import BadInputError
from monitor.store import retention
from monitor.store.audio_history import AudioBlock, AudioHistory, quantised
from monitor.store.clip import AudioGap, join
from monitor.store.folder import DraftFolder, folder_name, public_settings
from monitor.store.retention import DAY_S, GB, StoredFolder, to_delete
from monitor.store.seal import MANIFEST, SEAL, manifest, read_key, seal
from monitor.store.spectrogram import WIDEST, WINDOW, png, spectrogram
from monitor.store.verify_evidence import UNFINISHED, folders, verify_folder
from monitor.store.whole_call import WholeCall

KEY = b"a secret of more than sixteen bytes"
HEIGHT = WINDOW // 2


def blocks(*values: float, end: int = BLOCK, rows: Sequence[int] | None = None, live: bool = False) -> Blocks:
    """A block of each row, all of whose samples are that value."""
    index = np.array(range(len(values)) if rows is None else rows)
    samples = np.repeat(np.array(values, np.float32)[:, None], BLOCK, axis=1)
    captured = np.full(len(values), 1.0 if live else 0.0)
    return Blocks(index, samples, np.full(len(values), end), captured)


def piece(value: int, end: int, lost: int = 0) -> AudioBlock:
    return AudioBlock(np.full(BLOCK, value, np.int16), end, lost)


# Samples


@given(st.lists(st.integers(-32768, 32767), min_size=BLOCK, max_size=BLOCK))
def test_sixteen_bits_come_out_as_they_went_in(values: list[int]) -> None:
    samples = np.array([values], np.float32) / 32768
    out, lost = quantised(Blocks(np.array([0]), samples, np.array([BLOCK]), np.zeros(1)))
    assert out[0].tolist() == values
    assert lost.tolist() == [0]


def test_lost_and_invalid_samples_are_zeros_and_counted_and_what_is_too_loud_is_clipped() -> None:
    heard = blocks(2.0, -2.0)
    heard.samples[0, :3] = [np.nan, np.inf, -np.inf]
    out, lost = quantised(heard)
    assert out[0, :4].tolist() == [0, 0, 0, 32767]
    assert out[1, 0] == -32768
    assert lost.tolist() == [3, 0]


def test_the_history_holds_what_was_asked_for_and_forgets_the_rest() -> None:
    history = AudioHistory(1.0)
    history.open(slice(0, 2))
    for number in range(1, 101):
        history.add(blocks(number / 32768, 0.0, end=number * BLOCK))
    ends = [p.end for p in history.since(0, 99 * BLOCK - SAMPLE_RATE)]
    assert ends == list(range(99 * BLOCK - SAMPLE_RATE + BLOCK, 100 * BLOCK + 1, BLOCK))
    assert [int(p.samples[0]) for p in history.since(0, 98 * BLOCK)] == [99, 100]
    history.open(slice(0, 1))
    assert not list(history.since(0, 0)), "another call has the row now"
    assert list(history.since(1, 0))
    history.open(slice(7, 9))
    history.add(blocks(0.5, rows=[8]))
    assert len(list(history.since(8, 0))) == 1


def test_a_stretch_is_cut_to_the_sample_and_holes_are_silence_that_is_told() -> None:
    pieces = [piece(1, 320), piece(2, 640, lost=5), piece(3, 1600)]
    found = join(pieces, 100, 1500)
    assert found.start == 100
    assert found.samples.tolist() == [1] * 220 + [2] * 320 + [0] * 640 + [3] * 220
    assert found.holes == (AudioGap(320, 320, "lost"), AudioGap(640, 640, "absent"))


def test_holes_of_a_kind_that_touch_are_one() -> None:
    found = join([piece(0, 320, 1), piece(0, 640, 320), piece(1, 960)], 0, 960)
    assert found.holes == (AudioGap(0, 640, "lost"),)


def test_nothing_is_made_up_at_the_ends_unless_it_goes_on() -> None:
    found = join([piece(1, 960)], 0, 2000)
    assert (found.start, len(found.samples)) == (640, 320)
    assert join([], 0, 2000).samples.tolist() == []
    found = join([piece(1, 960)], 0, 960, continues=True)
    assert (found.start, found.holes) == (0, (AudioGap(0, 640, "absent"),))


def test_a_clock_that_jumps_far_makes_no_silence_beyond_the_end() -> None:
    found = join([piece(1, 320), piece(2, 10**12)], 0, 3200)
    assert found.samples.tolist() == [1] * 320


# The queue


def test_a_live_call_never_waits_and_what_is_left_out_is_counted() -> None:
    recorder = Recorder(capacity_bytes=3 * BLOCK * 4)
    for number in range(5):
        recorder.add_blocks(blocks(0.1, end=number * BLOCK, live=True))
    assert recorder.dropped == 2
    assert len(recorder.take()) == 3
    recorder.add_blocks(blocks(0.1, live=True))
    assert len(recorder.take()) == 1


def test_a_recording_waits_for_room_and_no_longer_once_it_is_closed() -> None:
    recorder = Recorder(capacity_bytes=BLOCK * 4)
    recorder.add_blocks(blocks(0.1))
    writer = threading.Thread(
        target=lambda: [recorder.add_blocks(blocks(0.1)), recorder.add_blocks(blocks(0.1))], daemon=True
    )
    writer.start()
    found = len(recorder.take())
    while found < 2:
        found += len(recorder.take())
    recorder.close()
    writer.join(10.0)
    assert not writer.is_alive()
    assert found + len(recorder.take()) + recorder.dropped == 3


# Sums and seals


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    return make(tmp_path / "store", "one")


def make(root: Path, name: str, size: int = 10, key: bytes | None = KEY) -> Path:
    root.mkdir(exist_ok=True)
    draft = DraftFolder(root, name, "epoch")
    draft.write("audio.flac", b"x" * size)
    draft.write("timeline.jsonl", b"{}\n")
    return draft.publish({"kind": "alert"}, key)


def test_what_was_not_touched_verifies(evidence: Path) -> None:
    assert folders(evidence.parent) == folders(evidence) == [evidence]
    verdict = verify_folder(evidence, KEY)
    assert (verdict.difference, verdict.sealed) == ("", True)
    assert verify_folder(evidence).difference == ""


def test_the_first_difference_is_named(evidence: Path) -> None:
    audio = evidence / "audio.flac"
    whole = audio.read_bytes()
    audio.write_bytes(b"y" + whole[1:])
    assert verify_folder(evidence).difference == "audio.flac was changed"
    audio.unlink()
    assert verify_folder(evidence).difference == "audio.flac was removed"
    audio.symlink_to("timeline.jsonl")
    assert verify_folder(evidence).difference == "audio.flac is not a plain file"
    audio.unlink()
    audio.write_bytes(whole)
    assert verify_folder(evidence).difference == ""
    (evidence / "more").mkdir()
    assert verify_folder(evidence).difference == "more was added"
    (evidence / MANIFEST).unlink()
    assert verify_folder(evidence).difference == "manifest.json is missing"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "x", "files": {}}', '{"format": 1, "files": 3}', "\xff"])
def test_what_is_no_manifest_is_a_difference(evidence: Path, text: str) -> None:
    (evidence / MANIFEST).write_text(text, encoding="latin-1")
    assert verify_folder(evidence).difference.startswith("manifest.json is")


def test_a_manifest_cannot_point_outside_its_folder(evidence: Path) -> None:
    result = json.loads((evidence / MANIFEST).read_bytes())
    result["files"]["../../etc/passwd"] = {"bytes": 1, "sha256": "0"}
    (evidence / MANIFEST).write_text(json.dumps(result))
    assert "not a file of this folder" in verify_folder(evidence).difference


def test_a_forger_who_makes_the_sums_again_is_found_by_the_key_alone(evidence: Path) -> None:
    (evidence / "audio.flac").write_bytes(b"forged")
    text = manifest(evidence, {"kind": "alert"})
    (evidence / MANIFEST).write_bytes(text)
    assert verify_folder(evidence).difference == ""
    assert verify_folder(evidence, KEY).difference.startswith("manifest.json was changed")
    (evidence / SEAL).write_text(seal(b"the key of the forger", text))
    assert verify_folder(evidence, KEY).difference.startswith("manifest.json was changed")
    (evidence / SEAL).unlink()
    assert verify_folder(evidence, KEY).difference == "manifest.hmac is missing: the manifest is not sealed"


def test_a_key_that_others_may_read_or_that_is_short_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(KEY + b"\n")
    key.chmod(0o600)
    assert read_key(key) == KEY
    key.chmod(0o644)
    with pytest.raises(BadInputError, match="others may read the key") as error:
        read_key(key)
    assert error.value.hint == f"keep it to yourself: chmod 600 {key}"
    key.chmod(0o600)
    key.write_bytes(b"short\n")
    with pytest.raises(BadInputError, match="5 bytes, 16 are the least"):
        read_key(key)
    with pytest.raises(BadInputError, match="cannot read the key"):
        read_key(tmp_path / "none")


def test_names_of_calls_cannot_leave_the_folder() -> None:
    assert folder_name("2026-01-31T12:00:00.5Z", "../../x", "a b") == "20260131T120000Z-______x-a_b"
    assert len(folder_name("2026-01-31T12:00:00Z", "x" * 500)) < 100


def test_two_folders_of_one_name_are_both_kept(tmp_path: Path) -> None:
    assert make(tmp_path, "one").name == "one"
    assert make(tmp_path, "one").name == "one~2"


def test_settings_are_kept_without_secrets() -> None:
    config = Config.model_validate({"webhook": {"url": "https://example.org/x", "secret": "a secret of the user"}})
    kept = public_settings(config)
    assert "a secret of the user" not in json.dumps(kept, default=str)
    assert kept["alerts.alert_llr"] == config.alerts.alert_llr


def test_a_whole_call_on_a_full_disk_is_an_error_and_leaves_nothing(small_disk: Path) -> None:
    whole = WholeCall(DraftFolder(small_disk, "one", "epoch"), "one", ("caller", "agent"))
    noise = np.random.default_rng(0).integers(-20000, 20000, (100, BLOCK)).astype(np.int16)

    def keep() -> None:
        for number, samples in enumerate(noise, 1):
            for channel in (0, 1):
                whole.add(channel, AudioBlock(samples, number * BLOCK, 0))
        whole.finish({}, Config(), None)

    with pytest.raises((OSError, RuntimeError)):
        keep()
    whole.close()
    assert list(small_disk.iterdir()) == []


# What is deleted


def test_the_oldest_go_until_age_and_size_are_kept_and_the_newest_stays() -> None:
    kept = [StoredFolder(Path(str(age)), 1e9 - age * DAY_S, int(0.4 * GB)) for age in (0.5, 3, 2, 1)]

    def gone(**limits: float) -> list[str]:
        return [str(k.path) for k in to_delete(kept, 1e9, limits.get("days", 0), limits.get("gb", 0))]

    assert gone() == []
    assert gone(days=1.5) == ["3", "2"]
    assert gone(gb=1.3) == ["3"]
    assert gone(gb=1.3, days=1.5) == ["3", "2"]
    assert gone(gb=0.1) == ["3", "2", "1"]
    assert gone(days=0.1) == ["3", "2", "1"]


def test_only_what_the_program_made_is_deleted(tmp_path: Path) -> None:
    old, new = make(tmp_path, "old"), make(tmp_path, "new")
    foreign = tmp_path / "holiday"
    foreign.mkdir()
    (foreign / MANIFEST).write_text('{"format": "something else", "files": {}}')
    for path in (old, foreign):
        os.utime(path / MANIFEST, (1, 1))
    (tmp_path / "link").symlink_to(foreign)
    assert retention.apply(tmp_path, 0.0, 0.0) == []
    assert retention.apply(tmp_path, 1.0, 0.0) == [old]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["holiday", "link", "new"]
    assert verify_folder(new, KEY).difference == ""


def test_what_a_program_that_died_left_behind_goes_after_a_day(tmp_path: Path) -> None:
    left, fresh = tmp_path / f"{UNFINISHED}left", tmp_path / f"{UNFINISHED}fresh"
    for path in (left, fresh):
        path.mkdir()
        (path / "audio.flac").write_bytes(b"x")
    for path in (left / "audio.flac", left):
        os.utime(path, (1, 1))
    assert folders(tmp_path) == []
    retention.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [fresh]


# The picture


def test_a_tone_is_a_bright_line_at_its_height_and_the_png_is_one() -> None:
    t = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    shades = spectrogram((8000 * np.sin(2 * np.pi * 2000 * t)).astype(np.int16))
    assert shades.shape[0] == HEIGHT
    assert 1000 < shades.shape[1] <= WIDEST
    from_top = np.argmax(shades.mean(axis=1))
    assert abs(from_top - HEIGHT * 0.75) < 3
    data = png(shades)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at = data.index(b"IDAT")
    rows = zlib.decompress(data[at + 4 : at + 4 + int.from_bytes(data[at - 4 : at], "big")])
    assert len(rows) == HEIGHT * (shades.shape[1] + 1)


def test_a_picture_of_hardly_anything_and_of_an_hour_is_possible() -> None:
    assert spectrogram(np.zeros(0, np.int16)).shape == (HEIGHT, 1)
    assert spectrogram(np.zeros(3600 * SAMPLE_RATE // 20, np.int16)).shape[1] <= WIDEST
