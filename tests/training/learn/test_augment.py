"""The augmentation: what it does to level, band and companding, and what it does alike to a pair."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from training.channels import speech_codecs
from training.channels.augment import AugmentConfig, a_law, augment, mask_features, mu_law, telephone

EVERYTHING = AugmentConfig(filter=1, band_limit=1, room=1, noise=1, clip=1, mu_law=1)


@pytest.mark.parametrize("config", [EVERYTHING, AugmentConfig()])
def test_rows_of_a_pair_are_treated_alike_and_pairs_differ(config: AugmentConfig) -> None:
    torch.manual_seed(1)
    one = 0.1 * torch.randn(1, 16_000)
    treated = augment(one.expand(8, -1), torch.arange(8) // 2, config)
    for top in range(0, 8, 2):
        assert float((treated[top] - treated[top + 1]).abs().max()) < 3e-4
        assert float((treated[top] - treated[top - 1]).abs().max()) > 1e-2


@pytest.mark.parametrize(("law", "quantise"), [("mu", mu_law), ("a", a_law)])
def test_the_companding_of_the_augmentation_is_as_fine_as_g711(law: str, quantise: Callable[[Tensor], Tensor]) -> None:
    """Against FFmpeg's codec: the errors are of one size, at a low level and at a high one."""
    rng = np.random.default_rng(0)
    for level in (0.01, 0.3):
        x = (level * rng.uniform(-1.0, 1.0, 16_000)).astype(np.float32)
        ours, theirs = quantise(torch.from_numpy(x)).numpy() - x, speech_codecs.g711(x, law) - x
        assert np.sqrt(np.mean(ours**2)) == pytest.approx(np.sqrt(np.mean(theirs**2)), rel=0.35)


def test_the_telephone_of_the_augmentation_has_its_band_and_treats_a_pair_alike() -> None:
    t = torch.arange(32_000) / 16_000
    x = sum(0.1 * torch.sin(2 * torch.pi * hz * t) for hz in (100.0, 1000.0, 6000.0))
    rows = torch.cat([telephone(torch.as_tensor(x).repeat(32, 1), torch.arange(32) // 2) for _ in range(2)])
    size = torch.fft.rfft(rows).abs()[:, [200, 2000, 12_000]] / 16_000
    assert torch.equal(rows[0::2], rows[1::2])
    torch.testing.assert_close(size[:, 1], torch.full((64,), 0.1), atol=0.003, rtol=0)
    assert float(size[:, 2].max()) < 1e-4
    filtered = size[:, 0] < 0.01
    assert 8 < int(filtered.sum()) < 56, "half of them have the filters of the telephone"
    torch.testing.assert_close(size[~filtered, 0], torch.full((int((~filtered).sum()),), 0.1), atol=0.003, rtol=0)


def test_augmented_audio_is_finite_bounded_and_within_its_levels() -> None:
    torch.manual_seed(2)
    hard = torch.stack([torch.zeros(16_000), torch.ones(16_000), torch.randn(16_000), 1e-6 * torch.randn(16_000)])
    hard[0, 5] = 1.0
    for _ in range(5):
        treated = augment(hard, torch.arange(4), EVERYTHING)
        assert bool(torch.isfinite(treated).all())
        assert float(treated.abs().max()) <= 1.0
    speech = 0.1 * torch.randn(64, 16_000)
    quiet = AugmentConfig(clip=0.0, level_dbfs=(-40.0, -20.0))
    level = 20 * torch.log10(augment(speech, torch.arange(64), quiet).square().mean(1).sqrt())
    assert float(level.min()) > -48.0
    assert float(level.max()) < -12.0


def test_strength_zero_leaves_level_changes_alone() -> None:
    torch.manual_seed(3)
    none = AugmentConfig().scaled(0.0)
    assert (none.filter, none.band_limit, none.room, none.noise, none.clip, none.mu_law) == (0,) * 6
    assert AugmentConfig().scaled(1.0) == AugmentConfig()
    x = 0.05 * torch.randn(2, 4000)
    treated = augment(x, torch.arange(2), none)
    for a, b in zip(x.reshape(8, -1), treated.reshape(8, -1), strict=True):
        assert float(torch.corrcoef(torch.stack([a, b]))[0, 1]) > 0.99


def test_masks_hide_stretches_and_bands_and_nothing_else() -> None:
    torch.manual_seed(4)
    x = torch.ones(4, 200, 40)
    masked = mask_features(x, AugmentConfig())
    assert set(masked.unique().tolist()) == {0.0, 1.0}
    assert float(masked.mean()) > 0.4
    assert torch.equal(mask_features(x, AugmentConfig(time_masks=0, band_masks=0)), x)
