"""Open vocoders that are networks of ours to run: VITS, MelGAN, and what Multi-band MelGAN is handed and gives back."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import signal
from test_open_vocoders import mel, published
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from voices import voice

from training.corpora.clips import CorpusError
from training.vocoding.open_vocoders import mb_melgan, melgan, vits
from training.vocoding.open_vocoders.hifigan import HifiGan
from training.vocoding.open_vocoders.mel import log_mel
from training.vocoding.open_vocoders.registry import OPEN_VOCODERS, family, open_system, systems

pytestmark = pytest.mark.slow

Weights = dict[str, Tensor]
LATENTS, LAYERS = 80, 3


def _normed(channels_in: int, channels_out: int, kernel: int) -> nn.Module:
    layer: nn.Module = weight_norm(nn.Conv1d(channels_in, channels_out, kernel))
    return layer


def _vits_weights() -> Weights:
    """Random weights, in half precision as those of the package are, of a VITS with three layers in its encoder."""
    torch.manual_seed(0)
    parts: dict[str, nn.Module] = {
        "enc_q.pre": nn.Conv1d(1025, LATENTS, 1),
        "enc_q.proj": nn.Conv1d(LATENTS, 2 * LATENTS, 1),
        "enc_q.enc.cond_layer": _normed(LATENTS, 2 * LATENTS * LAYERS, 1),
        "dec.cond": nn.Conv1d(LATENTS, 256, 1),
    }
    for i in range(LAYERS):
        parts[f"enc_q.enc.in_layers.{i}"] = _normed(LATENTS, 2 * LATENTS, 5)
        parts[f"enc_q.enc.res_skip_layers.{i}"] = _normed(LATENTS, LATENTS * (2 if i < LAYERS - 1 else 1), 1)
    held = {f"{name}.{k}": v for name, part in parts.items() for k, v in published(part).items()}
    decoder = {f"dec.{k}": v for k, v in published(HifiGan(vits.DECODER)).items()}
    for name in ("dec.conv_pre", "dec.conv_post"):
        decoder.pop(f"{name}.weight_g")
        decoder[f"{name}.weight"] = decoder.pop(f"{name}.weight_v")
    decoder.pop("dec.conv_post.bias")
    for name in ("enc_q.pre.weight", "enc_q.proj.weight"):
        held[name] *= 10.0  # as they are drawn, one sound gives the same latents as another
    held |= decoder | {"emb_g.weight": torch.randn(1, LATENTS)}
    return {k: v.half() for k, v in held.items()}


@pytest.fixture(scope="module")
def vits_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("vits") / "G.pth"
    torch.save({"model": _vits_weights()}, path)
    return path


def test_vits_copies_have_the_recordings_length_and_depend_on_the_seed_where_they_are_drawn(vits_file: Path) -> None:
    x, held = voice(0.8), {"vits": vits_file}
    plain, sampled = open_system("vits", held), open_system("vits+sampled", held)
    assert plain(x, 1).shape == x.shape
    np.testing.assert_array_equal(plain(x, 1), plain(x, 2))
    np.testing.assert_array_equal(sampled(x, 1), sampled(x, 1))
    assert float(np.abs(sampled(x, 1) - sampled(x, 2)).max()) > 1e-3
    for name in ("smooth", "units", "coarse"):
        y = open_system(f"vits+{name}", held)(x, 3)
        assert y.shape == x.shape
        assert float(np.abs(y - plain(x, 3)).max()) > 1e-3
    assert open_system("vits+tempo", held)(x, 3).shape != x.shape


def test_a_layer_with_weight_norm_is_folded_as_torch_computes_it() -> None:
    layer = _normed(7, 5, 3)
    held = {f"layer.{k}": v for k, v in published(layer).items()}
    torch.testing.assert_close(vits._folded(held, "layer"), layer.weight)


def test_the_speaker_conditions_encoder_and_decoder(tmp_path: Path) -> None:
    weights = _vits_weights()
    spectrum, z = torch.rand(1, 1025, 6), torch.randn(1, LATENTS, 6)
    heard, spoken = [], []
    for i, speaker in enumerate((weights["emb_g.weight"], torch.zeros(1, LATENTS).half())):
        torch.save({"model": weights | {"emb_g.weight": speaker}}, tmp_path / f"{i}.pth")
        encoder, decoder = vits.load(tmp_path / f"{i}.pth")
        heard.append(encoder(spectrum)[0])
        spoken.append(decoder(z))
    assert spoken[0].shape == (1, 1, 6 * vits.FORM.hop)
    assert float((heard[0] - heard[1]).abs().max()) > 1e-3
    assert float((spoken[0] - spoken[1]).abs().max()) > 1e-4


def test_melgan_survives_its_file_and_makes_a_hop_a_frame(tmp_path: Path) -> None:
    torch.manual_seed(1)
    fresh = melgan.MelGan().eval()
    torch.save(published(fresh), tmp_path / "melgan.pt")
    frames = mel()[:20]
    y = melgan.synthesise(melgan.load(tmp_path / "melgan.pt"), frames)
    assert y.shape == (20 * 256,)
    np.testing.assert_allclose(y, melgan.synthesise(fresh, frames), atol=1e-6)
    assert open_system("melgan+smooth", {"melgan": tmp_path / "melgan.pt"})(voice(0.4), 1).shape == (6400,)


@pytest.mark.parametrize(("name", "message"), [("vits", "no VITS"), ("melgan", "no MelGAN generator")])
def test_what_holds_no_such_network_is_refused(name: str, message: str, tmp_path: Path) -> None:
    torch.save({"model": {"dec.conv_pre.bias": torch.zeros(3)}}, tmp_path / "other")
    for path in (tmp_path / "other", tmp_path / "missing"):
        with pytest.raises(CorpusError, match=message):
            open_system(name, {name: path})


def test_names_and_families() -> None:
    assert set(OPEN_VOCODERS["vits"].variants) == {"sampled", *vits.VARIANTS}
    there = systems({"vits", "melgan", "mb-melgan"})
    assert {"vits", "vits+sampled", "melgan", "melgan+noisy", "mb-melgan+units"} <= set(there)
    assert [family(s) for s in ("vits", "vits+units", "mb-melgan", "melgan+voice")] == [
        "end-to-end-tts",
        "neural-codec",
        "gan-vocoder",
        "voice-conversion",
    ]


def test_multi_band_melgan_hears_frames_like_librosas() -> None:
    """A window shorter than the transform; frame t is centred on sample t * hop once half a hop stands before."""
    form, x = mb_melgan.FORM, np.asarray(np.random.default_rng(0).standard_normal(24_000) * 0.1, np.float32)
    ours = log_mel(np.pad(x, (form.hop // 2, 0)), form)
    theirs = librosa.feature.melspectrogram(
        y=x, sr=24_000, n_fft=2048, hop_length=300, win_length=1200, power=1.0, n_mels=80, fmin=80.0, fmax=7600.0
    )
    inner = slice(10, 70)
    np.testing.assert_allclose(ours[inner], np.log(theirs.T)[inner], atol=2e-3)


def _tilt(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Level of three bands relative to their mean, dB."""
    hz, power = signal.welch(x, 16_000, nperseg=512)
    bands = [10 * np.log10(power[(hz > a) & (hz < b)].mean()) for a, b in ((200, 800), (800, 2500), (2500, 7000))]
    return np.asarray(bands) - np.mean(bands)


def test_a_copy_gets_the_colour_of_its_recording() -> None:
    x = np.asarray(np.random.default_rng(1).standard_normal(32_000) * 0.1, np.float32)
    dull = np.asarray(signal.lfilter([1.0], [1.0, -0.8], x), np.float32)
    assert float(np.abs(_tilt(dull) - _tilt(x)).max()) > 4.0
    assert float(np.abs(_tilt(mb_melgan.colour(dull, x)) - _tilt(x)).max()) < 1.0
