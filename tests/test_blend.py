"""Fakes blended with the recordings they were made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from matplotlib.pyplot import imread
from torch import Tensor
from typer.testing import CliRunner

from model.config import BLOCK, SAMPLE_RATE
from training import blend
from training.blend import MIXES, between, blended, magnitude_of_copy, one_band, phase_of_copy
from training.cli import app
from training.sampler import NO_LABEL, Batch

ROWS, BLOCKS = 8, 100


def _batch(aligned: Tensor | None = None, label: Tensor | None = None) -> Batch:
    """Pairs of noise, the first row of each the fake, unless label tells otherwise; aligned everywhere, unless."""
    torch.manual_seed(3)
    audio = 0.1 * torch.randn(ROWS, BLOCKS * BLOCK)
    if label is None:
        label = torch.tensor([1, 0] * (ROWS // 2))[:, None].expand(ROWS, BLOCKS)
    if aligned is None:
        aligned = torch.ones(ROWS, BLOCKS, dtype=torch.bool)
    nothing = torch.zeros(ROWS, BLOCKS, dtype=torch.int64)
    return Batch(audio, label, nothing, label >= 0, nothing, torch.arange(ROWS) // 2, aligned)


def _changed(batch: Batch, share: float = 1.0) -> Tensor:
    """Which blocks (N, T) are other than they were."""
    return (blended(batch, share) != batch.audio).view(ROWS, BLOCKS, BLOCK).any(2)


def test_fakes_become_blends_and_recordings_stay() -> None:
    changed = _changed(_batch())
    assert changed[::2].float().mean() > 0.99
    assert not changed[1::2].any()


def test_the_fake_may_be_in_either_row_and_change_places() -> None:
    label = torch.tensor([1, 0] * (ROWS // 2))[:, None].repeat(1, BLOCKS)
    label[:, BLOCKS // 2 :] = 1 - label[:, BLOCKS // 2 :]
    changed = _changed(_batch(label=label))
    assert not changed[label == 0].any()
    assert changed[label == 1].float().mean() > 0.99


@pytest.mark.parametrize("why", ["no twin", "both fake", "no label"])
def test_without_a_recording_of_the_same_sentence_nothing_is_blended(why: str) -> None:
    batch = _batch()
    aligned, label = batch.aligned.clone(), batch.label.clone()
    if why == "no twin":
        aligned[:, :50] = False
    else:
        label[:, :50] = 1 if why == "both fake" else NO_LABEL
    changed = _changed(_batch(aligned, label))
    assert not changed[:, :50].any()
    assert changed[::2, 50:].float().mean() > 0.99


def test_a_share_of_the_pairs_is_blended() -> None:
    torch.manual_seed(0)
    batches = [_changed(_batch(), share)[::2].any(1).float().mean() for share in (0.0, 1.0)]
    assert batches == [0.0, 1.0]
    torch.manual_seed(1)
    batch = _batch()
    drawn = [(blended(batch, 0.5) != batch.audio).any(1)[::2].float().mean() for _ in range(50)]
    assert 0.35 < torch.stack(drawn).mean() < 0.65


def test_without_blends_no_number_is_drawn() -> None:
    batch = _batch()
    before = torch.get_rng_state()
    assert blended(batch, 0.0) is batch.audio
    assert torch.equal(torch.get_rng_state(), before)


def _spectra() -> tuple[Tensor, Tensor]:
    torch.manual_seed(5)
    shape = (64, 257, 20)
    return torch.randn(shape, dtype=torch.complex64), torch.randn(shape, dtype=torch.complex64)


def test_one_band_is_the_copys_and_reaches_into_the_telephones_band() -> None:
    copy, recording = _spectra()
    mixed = one_band(copy, recording)
    of_copy = torch.isclose(mixed, copy).all(2)
    hz = torch.linspace(0, SAMPLE_RATE / 2, 257)
    voice = (hz > 300) & (hz < 3400)
    assert bool((of_copy[:, voice].float().mean(1) > 0.15).all())
    of_recording = torch.isclose(mixed, recording).all(2)
    assert bool((of_copy | of_recording).float().mean() > 0.9)
    assert 0.1 < of_recording.float().mean() < 0.7
    assert bool(((of_copy[:, 1:] != of_copy[:, :-1]).sum(1) <= 2).all()), "one band, not several"


def test_what_each_mix_takes_from_the_copy() -> None:
    copy, recording = _spectra()
    torch.testing.assert_close(phase_of_copy(copy, recording).abs(), recording.abs())
    torch.testing.assert_close(
        torch.cos(phase_of_copy(copy, recording).angle() - copy.angle()), torch.ones(64, 257, 20)
    )
    other = magnitude_of_copy(copy, recording)
    torch.testing.assert_close(other.abs(), copy.abs())
    torch.testing.assert_close(torch.cos(other.angle() - recording.angle()), torch.ones(64, 257, 20))
    middle = between(copy, recording)
    torch.testing.assert_close(torch.cos(middle.angle() - copy.angle()), torch.ones(64, 257, 20))
    apart = (recording.abs() / copy.abs()).log()
    share = ((middle.abs() / copy.abs()).log() / apart)[apart.abs() > 0.5]
    assert bool(((share > 0.19) & (share < 0.71)).all())


@pytest.mark.parametrize("mix", sorted({m.__name__ for m in MIXES}))
def test_a_recording_blended_with_itself_is_itself(mix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blend, "MIXES", (getattr(blend, mix),))
    batch = _batch()
    twin = batch.audio.view(-1, 2, BLOCKS * BLOCK)
    twin[:, 0] = twin[:, 1]
    before = batch.audio.clone()
    torch.testing.assert_close(blended(batch, 1.0), before, atol=2e-5, rtol=0)


def test_a_picture_shows_every_blend(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    recording, copy = (rng.standard_normal((2, SAMPLE_RATE)) * 0.1).astype(np.float32)
    for name, x in (("recording", recording), ("copy", copy)):
        soundfile.write(tmp_path / f"{name}.wav", x, SAMPLE_RATE)
    command = ["blends", str(tmp_path / "recording.wav"), str(tmp_path / "copy.wav"), "--out", str(tmp_path / "b.png")]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    assert f"wrote {tmp_path / 'b.png'}" in told.output
    assert imread(tmp_path / "b.png").shape[1] > 1000
