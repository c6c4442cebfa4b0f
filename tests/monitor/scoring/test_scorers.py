"""The two scorers say the same: onnxruntime, which scores live calls, and torch, the reference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import make_scorer, voice
from numpy.typing import NDArray

from model.checkpoint import load_detector
from model.config import BLOCK, SAMPLE_RATE, DetectorConfig, FeatureConfig, NetworkConfig
from model.export.step import network_graph
from model.features import FEATURES, spectra
from model.figures import FIGURES, Kind
from model.network import HEADS, NETWORKS, CodecHead
from model.runtime_file import runtime_path
from model.stream import Detector
from model.weights_file import SHIPPED, CheckpointError, weights_hash
from monitor.scoring.onnx_network import OnnxNetwork, OnnxNetworks
from monitor.scoring.onnx_scorer import OnnxScorer
from monitor.scoring.scorer import Figures, Scorer, States
from monitor.scoring.torch_scorer import TorchScorer

Audio = NDArray[np.float32]
NET = FIGURES.index("spoof")
JOINED = "mel+narrow+envelope"
WITHIN = 1e-4
SHORT_S = 1.6
"""Long enough for all kinds of block, and for warm ones."""


def column(figures: Figures, name: str) -> Figures:
    return figures[..., FIGURES.index(name)]


@cache
def shipped(name: str) -> tuple[Detector, OnnxNetworks]:
    return load_detector(SHIPPED[name]), OnnxNetworks.read(SHIPPED[name])


@cache
def trained(feature: str, network: str = "cnn-lstm", head: str = "linear") -> Detector:
    """An untrained detector with scaled features, normalisation that is not the identity, and a lively speech head."""
    torch.manual_seed(0)
    size = NetworkConfig(kind=network, channels=(4, 6, 8), hidden=12, layers=2, embedding=16, head=head)
    detector = Detector(DetectorConfig(features=FeatureConfig(kind=feature), network=size))
    heard = torch.from_numpy(np.stack([voice(3.0, hiss=bool(i % 2), seed=i) for i in range(4)]))
    with torch.no_grad():
        spectrum = spectra(torch.nn.functional.pad(heard, (240, 0)), detector.window)
        detector.features.fit_scaling(spectrum)
        detector.network.speech.bias.fill_(0.3)
        if isinstance(detector.network.spoof, CodecHead):
            detector.network.spoof.scale.fill_(0.3)
            detector.network.spoof.offset.fill_(-0.2)
        detector.train()
        ok = torch.ones(4, spectrum.shape[1] // 2, dtype=torch.bool)
        for _ in range(3):
            detector.network(detector.features(spectrum[:, : 2 * ok.shape[1]]), ok, detector.network.init_state(4))
    return detector.prepared()


@cache
def hostile(seconds: float) -> Audio:
    """Speech, pauses, tones, DTMF, silence, zeros, losses, infinities, clipping: float32 (8, n), not to write to."""
    n = round(seconds * SAMPLE_RATE)
    t = np.arange(n) / SAMPLE_RATE
    rng = np.random.default_rng(3)
    sine = lambda hz: 0.2 * np.sin(2 * np.pi * hz * t)  # noqa: E731
    third, rows = n // 3, np.zeros((8, n), np.float32)
    for i in (0, 1, 2, 5, 6):
        rows[i] = voice(seconds, hiss=bool(i % 2), seed=i)
    rows[0, third : third + 5 * BLOCK] = np.nan
    rows[0, 2 * third + 7] = np.inf
    rows[1] = np.clip(rows[1] * 20, -1, 1)
    rows[1, third : 2 * third] = rows[2, third : 2 * third]
    rows[2, third : third + SAMPLE_RATE] = 0.0
    rows[2, 2 * third : 2 * third + 3 * BLOCK] *= 1e-5
    rows[3] = np.where(np.sin(2 * np.pi * 0.4 * t) > 0, sine(425), 0.0)
    rows[3, third : 2 * third] = rows[5, third : 2 * third]
    rows[4] = np.where(np.sin(2 * np.pi * 4 * t) > 0, sine(770) + sine(1336), 1e-5 * rng.standard_normal(n))
    rows[7] = np.where(np.sin(2 * np.pi * 0.3 * t) > 0, sine(1000), rows[2])
    rows[5] += 0.03 * rng.standard_normal(n).astype(np.float32)
    rows[6, third:-third] = 0.0
    rows[6, 30 * BLOCK : 33 * BLOCK] = -np.inf
    return rows


def score(scorer: Scorer, audio: Audio, sizes: Sequence[int] = (1,)) -> Figures:
    """The figures of all rows, scored so many blocks at a time, in turn."""
    rows, found, at, turn = np.arange(len(audio)), [], 0, 0
    while at < audio.shape[1] // BLOCK:
        end = min(at + sizes[turn % len(sizes)], audio.shape[1] // BLOCK)
        found.append(scorer.score(rows, audio[:, at * BLOCK : end * BLOCK]))
        at, turn = end, turn + 1
    return np.concatenate(found, axis=1)


def assert_same(found: Figures, expected: Figures, within: float = WITHIN) -> None:
    for name in ("kind", "warm", "bandwidth", "active"):
        different = np.argwhere(column(found, name) != column(expected, name))
        assert not len(different), (name, different[:5])
    np.testing.assert_allclose(column(found, "level"), column(expected, "level"), atol=WITHIN)
    active = column(expected, "active") > 0
    assert active.any()
    np.testing.assert_allclose(found[active][:, NET:], expected[active][:, NET:], atol=within, rtol=0)
    asked = np.isin(column(expected, "kind"), (Kind.SPEECH, Kind.NOT_SPEECH))
    np.testing.assert_allclose(column(found, "speech"), column(expected, "speech"), atol=within)
    assert not found[~asked][:, NET:].any()


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_for_the_cpu_says_what_torch_says_for_a_minute(name: str) -> None:
    """All kinds of audio one after the other, block by block, with one carried state."""
    detector, networks = shipped(name)
    audio = hostile(8.0).reshape(1, -1)
    expected = score(TorchScorer(detector, 1), audio, (50,))
    kinds = set(column(expected, "kind").astype(int).ravel().tolist())
    assert kinds == set(map(int, Kind)), "the audio holds every kind of block"
    assert set(column(expected, "bandwidth").ravel().tolist()) >= {1.0}
    scale = max(1.0, detector.config.calibration.scale)
    assert_same(score(OnnxScorer(networks, 1), audio), expected, WITHIN / scale)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("sizes", [(4, 1, 2), (50, 7)], ids=["some", "long"])
def test_any_split_and_any_rows_say_what_torch_says(name: str, sizes: Sequence[int]) -> None:
    detector, networks = shipped(name)
    audio = hostile(3.0)
    assert_same(score(OnnxScorer(networks, 8), audio, sizes), score(TorchScorer(detector, 8), audio, (50,)))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recording_scores_the_same_to_the_bit_in_any_split_and_as_a_live_call_but_for_rounding(name: str) -> None:
    _, networks = shipped(name)
    audio = hostile(3.0)
    expected = score(OnnxScorer(networks, 8, recorded=True), audio, (40,))
    assert_same(score(OnnxScorer(networks, 8), audio), expected, 1e-5)
    for sizes in ((1,), (7, 1, 33)):
        found = score(OnnxScorer(networks, 8, recorded=True), audio, sizes)
        active = column(expected, "active") > 0
        np.testing.assert_array_equal(found[active], expected[active])
        assert_same(found, expected, 0.0)


def test_pauses_of_a_recording_do_not_run_the_network_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _, networks = shipped("default")
    audio, heard = np.stack([voice(6.0, seed=i) for i in range(2)]), [0]
    for row, *pauses in ((0, 20, 28, 60, 75, 120, 200), (1, 5, 100, 150, 260)):
        for start, end in zip(pauses[::2], pauses[1::2], strict=True):
            audio[row, start * BLOCK : end * BLOCK] *= 1e-4
    one_by_one = score(OnnxScorer(networks, 2, recorded=True), audio)
    run = OnnxNetwork.run

    def counted(network: OnnxNetwork, window: Audio, ok: NDArray[np.bool_], states: States) -> Any:
        heard[0] += ok.size
        return run(network, window, ok, states)

    monkeypatch.setattr(OnnxNetwork, "run", counted)
    together = score(OnnxScorer(networks, 2, recorded=True), audio, (150,))
    active = column(one_by_one, "active") > 0
    np.testing.assert_array_equal(together[active], one_by_one[active])
    assert_same(together, one_by_one, 0.0)
    assert heard[0] < 0.75 * active.size


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_was_exported_from_the_weights_that_ship(name: str) -> None:
    detector, networks = shipped(name)
    for single, network in ((True, networks.single), (False, networks.segments)):
        facts = network.facts
        assert facts.weights_hash == weights_hash(SHIPPED[name]) == detector.weights_hash
        assert (facts.config, facts.single) == (detector.config, single)


@pytest.mark.parametrize("feature", [*FEATURES, JOINED])
@pytest.mark.parametrize("network", NETWORKS)
def test_every_kind_of_feature_and_network_can_be_exported(feature: str, network: str) -> None:
    detector, audio = trained(feature, network), hostile(SHORT_S)[[0, 2, 5]]
    expected = score(TorchScorer(detector, 3), audio, (20,))
    assert_same(score(make_scorer(detector, 3), audio, (1, 5)), expected)


@pytest.mark.parametrize("head", HEADS)
def test_every_head_can_be_exported(head: str) -> None:
    detector, audio = trained("mel", head=head), hostile(SHORT_S)
    assert_same(score(make_scorer(detector, 8), audio), score(TorchScorer(detector, 8), audio))


def test_the_same_weights_give_the_same_bytes() -> None:
    detector = trained("mel")
    one, other = (network_graph(detector, single=True) for _ in range(2))
    assert one == other


def scorers() -> list[Scorer]:
    detector = trained(JOINED)
    return [make_scorer(detector, 8), TorchScorer(detector, 8)]


@pytest.mark.parametrize("which", [0, 1], ids=["onnxruntime", "torch"])
def test_a_row_scores_the_same_whatever_the_other_rows_are(which: int) -> None:
    audio = hostile(SHORT_S)
    expected = score(scorers()[which], audio)
    scorer, at = scorers()[which], np.zeros(8, int)
    found: list[list[Figures]] = [[] for _ in range(8)]
    rng = np.random.default_rng(1)
    while (at < audio.shape[1] // BLOCK).any():
        rows = np.flatnonzero((rng.random(8) < 0.6) & (at < audio.shape[1] // BLOCK))
        if len(rows):
            samples = np.stack([audio[r, at[r] * BLOCK : (at[r] + 1) * BLOCK] for r in rows])
            for row, figures in zip(rows, scorer.score(rows, samples), strict=True):
                found[row].append(figures)
            at[rows] += 1
    assert_same(np.stack([np.concatenate(parts) for parts in found]), expected, 1e-5)


@pytest.mark.parametrize("which", [0, 1], ids=["onnxruntime", "torch"])
def test_saved_rows_go_on_in_other_rows_of_another_scorer(which: int) -> None:
    audio = hostile(SHORT_S)
    expected = score(scorers()[which], audio)
    first, second = scorers()[which], scorers()[which]
    half = audio.shape[1] // BLOCK // 2
    score(first, audio[:, : half * BLOCK])
    rows, places = np.array([0, 5, 6]), np.array([1, 2, 7])
    score(second, audio[:, : 5 * BLOCK])  # what it had scored before is gone
    second.load(places, first.save(rows))
    second.reset(np.array([0]))
    found = [
        second.score(places, audio[rows, b * BLOCK : (b + 1) * BLOCK]) for b in range(half, audio.shape[1] // BLOCK)
    ]
    assert_same(np.concatenate(found, axis=1), expected[rows][:, half:], 1e-5)


@pytest.mark.parametrize("which", [0, 1], ids=["onnxruntime", "torch"])
def test_a_reset_row_is_cold(which: int) -> None:
    audio = hostile(SHORT_S)
    scorer = scorers()[which]
    expected = score(scorer, audio)
    scorer.reset(np.arange(8))
    np.testing.assert_array_equal(score(scorer, audio), expected)


@pytest.mark.parametrize("which", [0, 1], ids=["onnxruntime", "torch"])
def test_states_of_another_network_are_refused(which: int) -> None:
    scorer = scorers()[which]
    other = make_scorer(trained("mel", "lstm"), 1)
    with pytest.raises(ValueError, match="another network"):
        scorer.load(np.array([0]), other.save(np.array([0])))


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-100], lambda d: d[:5000] + bytes([d[5000] ^ 1]) + d[5001:], lambda _: b""]
)
def test_a_damaged_network_is_refused(damage: object) -> None:
    data = network_graph(trained("mel"), single=True)
    assert OnnxNetwork(data, "whole").facts.single
    assert callable(damage)
    with pytest.raises(CheckpointError, match=r"x\.onnx"):
        OnnxNetwork(damage(data), "x.onnx")


def test_networks_stand_beside_their_weights() -> None:
    assert runtime_path(Path("a/w.safetensors"), single=True) == Path("a/w.onnx")
    assert runtime_path(Path("a/w.safetensors"), single=False) == Path("a/w.segments.onnx")
