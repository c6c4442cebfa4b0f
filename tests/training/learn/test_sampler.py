"""What the sampler draws, and what the loss makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from test_train import CPU

from model.config import BLOCK, FAMILIES
from model.network import NetworkOutput
from training.corpora.bank import AudioBank
from training.corpora.clips import Clip
from training.learn.losses import LossWeights, training_loss
from training.learn.sampler import NO_LABEL, CallSampler, SamplingWeights, TrainingBatch, speech_cells

STEP, OTHER = 200, 30_000


def _clips() -> list[Clip]:
    """Six sentences: a recording and a copy by one of two systems."""
    clips = []
    for i in range(6):
        family = FAMILIES[3 * (i % 2)]
        clips.append(Clip(Path(f"{i}.wav"), 0, "bonafide", "bonafide", f"s{i}", f"p{i}", part="a"))
        clips.append(Clip(Path(f"{i}_gen.wav"), 1, family, f"system{i % 2}", f"s{i}", f"p{i}", part="a"))
    return clips


def _sampler(marks: str, seed: int = 0, weights: SamplingWeights = SamplingWeights({})) -> CallSampler:  # noqa: B008
    """A sampler whose samples tell where they come from. marks "clip": STEP * (clip + 1) + version. marks "place":
    place within the clip, counted in blocks, plus 1000 * version. Other sounds are OTHER.
    """
    clips, n = _clips(), 100 * BLOCK
    bounds = np.arange(len(clips) + 1) * n
    first = np.repeat(STEP * (np.arange(len(clips)) + 1), n)
    if marks == "place":
        first = np.tile(np.arange(n) // BLOCK + 1, len(clips))
    versions = np.stack([first, first + (1 if marks == "clip" else 1000)]).astype(np.int16)
    others = np.full(200 * BLOCK, OTHER, dtype=np.int16)
    bank = AudioBank(clips, versions[0], bounds)
    return CallSampler(bank, versions, others, FAMILIES, weights, CPU, seed)


def _marks(batch: TrainingBatch) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """The middle sample of each block (N, T) as the integer that it was."""
    blocks = batch.audio.reshape(batch.audio.shape[0], -1, BLOCK)[:, :, BLOCK // 2]
    return np.asarray((blocks * 32768.0).round().to(torch.int64).numpy())


def test_labels_families_and_speech_line_up_with_the_audio() -> None:
    sampler = _sampler("clip")
    for _ in range(5):
        batch = sampler.draw(8, 12.0)
        marks, label = _marks(batch), batch.label.numpy()
        inside = label != NO_LABEL
        np.testing.assert_array_equal(inside, (marks != 0) & (marks != OTHER))
        clip = marks[inside] // STEP - 1
        np.testing.assert_array_equal(label[inside], sampler.label_of[clip])
        np.testing.assert_array_equal(batch.family.numpy()[inside], sampler.family_of[clip])
        np.testing.assert_array_equal(batch.speech.numpy(), inside)
        assert set(label[inside].tolist()) == {0, 1}


def test_pauses_and_other_sounds_carry_no_label() -> None:
    batch = _sampler("clip", weights=SamplingWeights({}, other_sounds=0.4)).draw(16, 12.0)
    marks = _marks(batch)
    for outside in (marks == 0, marks == OTHER):
        assert outside.any()
        for labels in (batch.label, batch.family, batch.piece):
            assert (labels.numpy()[outside] == NO_LABEL).all()
        assert not batch.speech.numpy()[outside].any()


def test_twins_are_a_recording_and_a_fake_in_the_same_place_and_channel() -> None:
    sampler = _sampler("clip")
    for _ in range(5):
        batch = sampler.draw(8, 12.0)
        assert batch.pair.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
        marks, label = _marks(batch), batch.label.numpy()
        for top in range(0, 8, 2):
            inside = label[top] != NO_LABEL
            np.testing.assert_array_equal(label[top + 1] != NO_LABEL, inside)
            np.testing.assert_array_equal(label[top][inside] + label[top + 1][inside], 1)
            np.testing.assert_array_equal(batch.piece[top], batch.piece[top + 1])
            np.testing.assert_array_equal(marks[top][inside] % STEP, marks[top + 1][inside] % STEP)


def test_twins_are_called_aligned_where_they_are_of_one_sentence() -> None:
    sampler, shares = _sampler("clip"), []
    for _ in range(5):
        batch = sampler.draw(8, 12.0)
        sentence, inside = (_marks(batch) // STEP - 1) // 2, batch.label.numpy() != NO_LABEL
        for top in range(0, 8, 2):
            same = (sentence[top] == sentence[top + 1]) & inside[top]
            np.testing.assert_array_equal(batch.aligned[top], same)
            np.testing.assert_array_equal(batch.aligned[top + 1], same)
            shares.append(same.sum() / inside[top].sum())
    assert 0.5 < np.mean(shares) < 0.95


def test_twins_are_at_the_same_place_of_their_sentences_which_goes_on_steadily() -> None:
    batch = _sampler("place", weights=SamplingWeights({}, other_sounds=0.0)).draw(8, 12.0)
    marks, piece = _marks(batch), batch.piece.numpy()
    for top in range(0, 8, 2):
        np.testing.assert_array_equal(marks[top], marks[top + 1])
    same = piece[:, 1:] == piece[:, :-1]
    inside = same & (piece[:, 1:] != NO_LABEL)
    np.testing.assert_array_equal(np.diff(marks, axis=1)[inside], 1)


def test_every_channel_version_is_used_or_none() -> None:
    drawn = _marks(_sampler("clip").draw(16, 12.0))
    assert {0, 1} <= set((drawn[(drawn != 0) & (drawn != OTHER)] % STEP).tolist())
    clean = _marks(_sampler("clip", weights=SamplingWeights({}, through_channel=0.0)).draw(16, 12.0))
    assert set((clean[(clean != 0) & (clean != OTHER)] % STEP).tolist()) == {0}


def test_the_seed_alone_decides_what_is_drawn() -> None:
    one, same, other = (_sampler("clip", seed).draw(8, 6.0) for seed in (3, 3, 4))
    assert torch.equal(one.audio, same.audio)
    assert torch.equal(one.label, same.label)
    assert not torch.equal(one.audio, other.audio)


def test_weak_cells_are_not_speech() -> None:
    loud, faint = np.full(3200, 8000, np.int16), np.full(3200, 40, np.int16)
    cells = speech_cells(np.concatenate([loud, faint, loud]), np.array([0, 9600]))
    assert cells.tolist() == [True] * 20 + [False] * 20 + [True] * 20 + [False]


def _output(batch: TrainingBatch, sure: float) -> NetworkOutput:
    """What a network would say that is right, `sure` nats strong."""
    truth = (2.0 * batch.label.clamp(min=0) - 1.0) * sure
    family = sure * torch.nn.functional.one_hot(batch.family.clamp(min=0), len(FAMILIES)).float()
    speech = (2.0 * batch.speech.float() - 1.0) * sure
    return NetworkOutput(truth, family, speech, batch.speech, torch.zeros(*truth.shape, 1))


def test_loss_rewards_the_truth() -> None:
    batch = _sampler("clip").draw(8, 8.0)
    losses = [float(training_loss(_output(batch, sure), batch, LossWeights())[0]) for sure in (-3.0, 0.0, 3.0)]
    assert losses[0] > losses[1] > losses[2]
    _, parts = training_loss(_output(batch, 0.0), batch, LossWeights())
    for name, chance in {"frame": 2, "evidence": 2, "speech": 2, "family": len(FAMILIES)}.items():
        assert float(parts[name]) == pytest.approx(np.log(chance), abs=1e-4)


def test_loss_does_not_hear_what_has_no_label() -> None:
    batch = _sampler("clip").draw(8, 8.0)
    out = _output(batch, 1.0)
    outside = batch.label == NO_LABEL
    other = NetworkOutput(
        out.spoof + 9.0 * outside, out.family + 5.0 * outside[..., None], out.speech, out.active, out.embedding
    )
    assert torch.equal(training_loss(other, batch, LossWeights())[0], training_loss(out, batch, LossWeights())[0])


def test_a_family_of_more_weight_is_drawn_more_often_and_its_part_no_more() -> None:
    drawn = _sampler("clip", weights=SamplingWeights({}, {FAMILIES[3]: 3.0}))
    p = np.diff(drawn.spoof_cdf, prepend=0.0)
    heavy = np.array([drawn.clips[i].family == FAMILIES[3] for i in drawn.spoof_ids])
    assert p.sum() == pytest.approx(1.0)
    assert p[heavy].sum() == pytest.approx(0.75)


def test_a_clip_of_more_weight_is_drawn_more_often() -> None:
    clips = np.ones(12)
    clips[[1, 4]] = 3.0  # a fake and a recording, of six each
    drawn = _sampler("clip", weights=SamplingWeights({}, clips=clips))
    shares = [np.diff(cdf, prepend=0.0) for cdf in (drawn.spoof_cdf, drawn.real_cdf)]
    np.testing.assert_allclose(shares[0], np.array([3, 1, 1, 1, 1, 1]) / 8)
    np.testing.assert_allclose(shares[1], np.array([1, 1, 3, 1, 1, 1]) / 8)
