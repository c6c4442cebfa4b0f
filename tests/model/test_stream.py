"""The promises of the scoring path, for every registered feature and network."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch

from model.checkpoint import save_detector
from model.config import BLOCK, DetectorConfig, FeatureConfig, NetworkConfig
from model.features import FEATURES, TAIL, spectra
from model.figures import Kind
from model.network import FEW_BLOCKS, NETWORKS, SpeechLstm
from model.stream import Detector, Scores, assign, init_state, score_blocks, select, step

DEVICES = [
    pytest.param("cpu"),
    pytest.param(
        "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
    ),
]
JOINED = "mel+narrow+envelope"
EVERY = [
    *((feature, "cnn-lstm") for feature in (*FEATURES, JOINED)),
    *((feature, network) for network in NETWORKS if network != "cnn-lstm" for feature in ("linear", JOINED)),
]
"""Every feature and every network; a network treats all single features alike."""
BLOCKS = 60
LITTLE = 32
"""Blocks of which some are warm, and some are not."""


@cache
def make_detector(feature: str = "linear", network: str = "cnn-lstm", device: str = "cpu", seed: int = 0) -> Detector:
    """An untrained detector whose scores depend visibly on what it hears. One for all tests: none changes it."""
    torch.manual_seed(seed)
    detector = Detector(
        DetectorConfig(
            features=FeatureConfig(kind=feature), network=NetworkConfig(kind=network, hidden=16, layers=2, embedding=16)
        )
    )
    with torch.no_grad():
        detector.features.fit_scaling(spectra(audio(2, seed=9), detector.window))
        detector.network.spoof.weight.mul_(4.0)
        detector.network.speech.weight.mul_(0.3)
        detector.network.speech.bias.fill_(0.5)
        detector.train()
        for _ in range(3):
            detector.network(
                detector.features(spectra(audio(4, seed=8), detector.window)),
                torch.ones(4, BLOCKS - 1, dtype=torch.bool),
                detector.network.init_state(4),
            )
    return detector.prepared().to(device)


def audio(streams: int, blocks: int = BLOCKS, seed: int = 1) -> torch.Tensor:
    """Bursts of noise and buzz with pauses: (streams, blocks * BLOCK)."""
    generator = torch.Generator().manual_seed(seed)
    n = blocks * BLOCK
    noise = torch.randn(streams, n, generator=generator)
    t = torch.arange(n) / 16000
    f0 = 90 + 120 * torch.rand(streams, 1, generator=generator)
    buzz = torch.sign(torch.sin(2 * torch.pi * f0 * t * (1 + 0.2 * torch.sin(3 * t))))
    envelope = (torch.sin(2 * torch.pi * 2.5 * t + 6 * torch.rand(streams, 1, generator=generator)) > -0.4).float()
    return (0.05 * buzz + 0.03 * noise) * envelope + 1e-4 * noise


def whole(detector: Detector, x: torch.Tensor) -> Scores:
    return step(detector, init_state(detector, x.shape[0]), x)[1]


def split(detector: Detector, x: torch.Tensor, sizes: tuple[int, ...]) -> Scores:
    """Scores of x (streams, n) given in parts of these sizes, in turn."""
    state, parts, at, turn = init_state(detector, x.shape[0]), [], 0, 0
    while at < x.shape[1]:
        size = sizes[turn % len(sizes)]
        state, scores = step(detector, state, x[:, at : at + size])
        parts.append(scores)
        at, turn = at + size, turn + 1
    return joined(parts, 1)


def assert_same(a: Scores, b: Scores) -> None:
    assert bool(a.active.any()), "a check without active blocks proves nothing"
    for name in ("spoof", "speech", "family", "level"):
        assert float((getattr(a, name) - getattr(b, name)).abs().max()) <= 1e-5, name
    for name in ("kind", "active", "end", "warm"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name


def joined(parts: list[Scores], dim: int) -> Scores:
    return Scores(**{n: torch.cat([getattr(p, n) for p in parts], dim) for n in Scores.__dataclass_fields__})


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("feature", "network"), EVERY)
def test_any_split_gives_the_scores_of_the_whole(feature: str, network: str, device: str) -> None:
    detector, x = make_detector(feature, network, device), audio(2, blocks=24)
    expected = whole(detector, x)
    for sizes in ((160,), (BLOCK,), (333, 1, 4000)):
        assert_same(expected, split(detector, x, sizes))


def test_single_samples_give_the_scores_of_the_whole() -> None:
    detector, x = make_detector(), audio(2, blocks=8)
    assert_same(whole(detector, x), split(detector, x, (1,)))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("feature", "network"), EVERY)
def test_the_future_never_changes_the_past(feature: str, network: str, device: str) -> None:
    detector, x = make_detector(feature, network, device), audio(1, LITTLE)
    other = x.clone()
    cut = 20 * BLOCK
    other[:, cut:] = audio(1, LITTLE, seed=77)[:, cut:] * 3
    a, b = whole(detector, x), whole(detector, other)
    assert torch.equal(a.spoof[:, :20], b.spoof[:, :20])
    assert torch.equal(a.kind[:, :20], b.kind[:, :20])
    assert not torch.equal(a.spoof[:, 20:], b.spoof[:, 20:])


@pytest.mark.parametrize(("feature", "network"), EVERY)
def test_every_layer_is_causal(feature: str, network: str) -> None:
    """Change block 20 on: the output of no layer may differ before it."""
    detector = make_detector(feature, network)
    x = audio(1)
    other = x.clone()
    other[:, 20 * BLOCK :] *= -0.5
    seen: list[list[torch.Tensor]] = [[], []]
    for run, signal in enumerate((x, other)):
        hooks = [
            m.register_forward_hook(
                lambda _m, _i, out, run=run: seen[run].append(out[0] if isinstance(out, tuple) else out)
            )
            for m in detector.modules()
            if not list(m.children())
        ]
        padded = torch.nn.functional.pad(signal, (TAIL, 0))
        detector.network(
            detector.features(spectra(padded, detector.window)),
            torch.ones(1, BLOCKS, dtype=torch.bool),
            detector.network.init_state(1),
            speech=torch.ones(1, BLOCKS, dtype=torch.bool),
        )
        for hook in hooks:
            hook.remove()
    checked = 0
    for a, b in zip(*seen, strict=True):
        time = next((d for d in range(a.ndim) if a.shape[d] in (BLOCKS, 2 * BLOCKS, 2 * BLOCKS + 1)), None)
        if time is None:
            continue
        past = a.shape[time] * 20 // BLOCKS
        torch.testing.assert_close(a.narrow(time, 0, past), b.narrow(time, 0, past), atol=1e-6, rtol=0)
        checked += 1
    assert checked >= 4


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("feature", "network"), EVERY)
def test_interleaved_streams_score_as_each_alone(feature: str, network: str, device: str) -> None:
    detector, x = make_detector(feature, network, device), audio(2, blocks=LITTLE)
    states, parts = [init_state(detector), init_state(detector)], [[], []]
    for at in range(0, x.shape[1], 777):
        for i in (0, 1):
            states[i], scores = step(detector, states[i], x[i : i + 1, at : at + 777])
            parts[i].append(scores)
    together = whole(detector, x)
    for i in (0, 1):
        alone = whole(detector, x[i : i + 1])
        assert_same(alone, joined(parts[i], 1))
    assert_same(joined([joined(p, 1) for p in parts], 0), together)


@pytest.mark.parametrize("device", DEVICES)
def test_streams_join_leave_and_move_in_a_stack(device: str) -> None:
    detector, x = make_detector(device=device), audio(3)
    half = 30 * BLOCK
    states = [step(detector, init_state(detector), x[i : i + 1, :half])[0] for i in range(3)]
    held = init_state(detector, 3)
    for i, state in enumerate(states):
        assign(held, slice(i, i + 1), state)
    rows = torch.tensor([2, 0], device=device)
    new, scores = step(detector, select(held, rows), x[[2, 0], half:])
    assign(held, rows, new)
    after = step(detector, states[1], x[1:2, half:])[1]
    for i, expected in ((0, 2), (1, 0)):
        torch.testing.assert_close(
            scores.spoof[i], whole(detector, x[expected : expected + 1]).spoof[0, 30:], atol=1e-5, rtol=0
        )
    torch.testing.assert_close(after.spoof[0], whole(detector, x[1:2]).spoof[0, 30:], atol=1e-5, rtol=0)
    assert int(held.blocks[1]) == 30
    assert int(held.blocks[0]) == 60


@pytest.mark.slow
def test_a_saved_stream_goes_on_in_a_new_process(tmp_path: Path) -> None:
    from model.checkpoint import load_detector

    x, cut, first = audio(2), 9_999, {}
    for network in NETWORKS:
        torch.manual_seed(0)
        unfolded = Detector(DetectorConfig(network=NetworkConfig(kind=network, hidden=16, embedding=16)))
        with torch.no_grad():
            unfolded.network.speech.bias.fill_(5.0)
        save_detector(unfolded, tmp_path / f"{network}.safetensors", {})
        detector = load_detector(tmp_path / f"{network}.safetensors")
        state, first[network] = step(detector, init_state(detector, 2), x[:, :cut])
        torch.save((state.tensors(), x[:, cut:]), tmp_path / f"{network}.rest")
    program = (
        "import sys, torch; from pathlib import Path; from model.checkpoint import *; from model.stream import *\n"
        "for path in Path(sys.argv[1]).glob('*.safetensors'):\n"
        "    held, rest = torch.load(path.with_suffix('.rest')); state = StreamState.from_tensors(held)\n"
        "    torch.save(step(load_detector(path), state, rest)[1].spoof, path.with_suffix('.spoof'))"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=120)
    for network, scores in first.items():
        spoof = torch.cat([scores.spoof, torch.load(tmp_path / f"{network}.spoof")], 1)
        expected = whole(load_detector(tmp_path / f"{network}.safetensors"), x).spoof
        torch.testing.assert_close(spoof, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("network", NETWORKS)
def test_training_sees_what_streaming_sees(network: str) -> None:
    """The whole-sequence pass of training gives the scores of the block-wise pass."""
    detector, x = make_detector(network=network), audio(3)
    streamed = whole(detector, x)
    padded = torch.nn.functional.pad(x, (TAIL, 0))
    ok = (streamed.kind == Kind.SPEECH) | (streamed.kind == Kind.NOT_SPEECH)
    out, _ = detector.network(detector.features(spectra(padded, detector.window)), ok, detector.network.init_state(3))
    assert torch.equal(out.active, streamed.active)
    torch.testing.assert_close(out.spoof[out.active], streamed.spoof[out.active], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("feature", "network"), EVERY)
def test_blocks_scored_together_score_as_one_by_one(feature: str, network: str) -> None:
    detector, x = make_detector(feature, network), audio(3, blocks=LITTLE)
    x[1, 4000:4100] = float("nan")
    expected = whole(detector, x)
    for together in range(2, FEW_BLOCKS + 1):
        state, scores = init_state(detector, 3), []
        for part in x.split(together * BLOCK, dim=1):
            with torch.inference_mode():
                state, more = score_blocks(detector, state, part)
            scores.append(more)
        assert_same(joined(scores, 1), expected)


def test_what_is_not_speech_leaves_the_recurrent_state_as_it_was() -> None:
    detector, x = make_detector(), audio(1)
    state, _ = step(detector, init_state(detector), x)
    silence = torch.zeros(1, 50 * BLOCK)
    after, scores = step(detector, state, silence)
    assert not bool(scores.active.any())
    for name in ("h", "c"):
        assert torch.equal(state.net[name], after.net[name])


def test_packed_sequences_say_what_moved_together_blocks_do() -> None:
    """The two ways that a batch goes through the LSTM, on a GPU and on a CPU."""
    torch.manual_seed(0)
    lstm = SpeechLstm(12, NetworkConfig(hidden=8, layers=2)).eval()
    x, active = torch.randn(5, 30, 12), torch.rand(5, 30) < 0.5
    active[1], active[2] = False, True
    h, c = torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    with torch.no_grad():
        together, packed = lstm._compacted(x, active, h, c), lstm._packed(x, active, h, c)
    torch.testing.assert_close(packed[0], together[0] * active[..., None])
    torch.testing.assert_close(packed[1:], together[1:])
    assert torch.equal(packed[1][:, 1], h[:, 1]), "a stream without speech keeps its state"


def test_no_stream_is_warm_from_the_start() -> None:
    detector = make_detector()
    scores = whole(detector, audio(1))
    warm = detector.config.warm_blocks
    assert not bool(scores.warm[0, : warm - 1].any())
    assert bool(scores.warm[0, warm - 1 :].all())


def test_lost_and_invalid_audio_is_named_and_does_not_poison_the_stream() -> None:
    detector, x = make_detector(), audio(1)
    x[:, 20 * BLOCK + 7] = float("nan")
    x[:, 30 * BLOCK + 7] = float("inf")
    scores = whole(detector, x)
    assert int(scores.kind[0, 20]) == Kind.GAP
    assert int(scores.kind[0, 30]) == Kind.INVALID
    assert not bool(scores.active[0, [20, 30]].any())
    assert bool(torch.isfinite(scores.spoof).all())


def test_samples_of_the_wrong_shape_are_refused() -> None:
    detector = make_detector()
    with pytest.raises(ValueError, match="streams"):
        step(detector, init_state(detector, 2), torch.zeros(3, 100))
