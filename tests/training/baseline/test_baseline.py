"""The network that hears whole clips: its shape, what it hears, how it learns, and its place in the report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import make_weights
from tiny_corpus import make_corpus, voice
from typer.testing import CliRunner

from model.checkpoint import describe, load_detector
from model.config import HOP, WINDOW
from model.weights_file import CheckpointError
from training.baseline.baseline_settings import BaselineSettings
from training.baseline.beside import compared
from training.baseline.bilstm import BaselineConfig, Bilstm, load_bilstm, log_odds
from training.baseline.clip_store import ClipStore, class_names, class_numbers, logits_of_clips
from training.baseline.learner import BaselineLearner
from training.baseline.run import BaselinePlan, run
from training.cli.main import app
from training.corpora.bank import AudioBank, build_bank
from training.corpora.clips import Clip
from training.corpora.splits import gather
from training.evaluate.detection_metrics import auc, eer
from training.evaluate.trials import choose

pytestmark = pytest.mark.slow

CLASSES = ("bonafide", "end-to-end-tts", "gan-vocoder", "signal-vocoder")
SMALL = (12, 16)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus")).parent


def _bank(lengths: list[int]) -> AudioBank:
    clips = [Clip(Path(f"{i}.wav"), i % 2, "gan-vocoder", "melgan", f"s{i}") for i in range(len(lengths))]
    audio = np.concatenate([(voice(i, n / 16_000)[:n] * 20_000).astype(np.int16) for i, n in enumerate(lengths)])
    return AudioBank(clips, audio, np.concatenate([[0], np.cumsum(lengths)]))


def _network(units: tuple[int, ...] = SMALL) -> Bilstm:
    torch.manual_seed(0)
    return Bilstm(BaselineConfig(CLASSES, units)).eval()


def _train(corpus: Path, out: Path, steps: int, device: str = "cpu", **more: Any) -> tuple[Path, list[str]]:
    result: list[str] = []
    plan = BaselinePlan([corpus], out, corpus.parent / "cache", 1, device, units=SMALL)
    settings = BaselineSettings(steps=steps, minutes=1e9, rows=8, learning_rate=0.01, validate_every=10, **more)
    return run(settings, plan, result.append), result


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _train(corpus, tmp_path_factory.mktemp("run"), 40)[0]


def test_it_has_two_bidirectional_layers_of_256_and_1024_units_over_40_coefficients() -> None:
    network = Bilstm(BaselineConfig(CLASSES))

    def lstm(size: int, units: int) -> int:
        return 2 * 4 * units * (size + units + 2)

    assert network.features.layout[0].size == 40
    assert sum(p.numel() for p in network.parameters()) == lstm(40, 256) + lstm(512, 1024) + 2048 * 4 + 4
    assert [layer.bidirectional for layer in network.layers] == [True, True]


def test_a_clip_is_heard_alike_alone_and_among_longer_ones() -> None:
    bank, network = _bank([9000, 24_000, 400, 16_001, 100]), _network()
    together = logits_of_clips(network, bank, size=5)
    for i in range(5):
        samples = torch.from_numpy(bank.clip(i))[None]
        alone = network(torch.nn.functional.pad(samples, (0, max(0, WINDOW - samples.shape[1]))), torch.tensor([400]))
        if i not in (2, 4):
            alone = network(samples, torch.tensor([samples.shape[1]]))
        torch.testing.assert_close(together[i], alone[0], atol=1e-5, rtol=1e-4)


def test_it_needs_the_end_of_a_clip_and_nothing_beyond_it() -> None:
    network, n = _network(), 16_000
    x = torch.from_numpy(voice(1, 1.0).astype(np.float32))[None].repeat(3, 1)
    x[1, -WINDOW:] = 0.0
    later = torch.nn.functional.pad(x, (0, 4000), value=0.3)
    result = network(later, torch.tensor([n, n, n - HOP]))
    assert not torch.allclose(result[0], result[1], atol=1e-4)
    assert not torch.allclose(result[0], result[2], atol=1e-5)
    torch.testing.assert_close(result[:1], network(x[:1], torch.tensor([n])), atol=1e-5, rtol=1e-4)


def test_a_batch_is_cut_from_the_bank_at_the_sample() -> None:
    bank = _bank([9000, 24_000])
    audio, samples = ClipStore(bank, CPU).batch(np.array([1, 0]), np.array([500, 8990]), 2000)
    assert samples.tolist() == [2000, 10]
    np.testing.assert_allclose(audio[0], bank.clip(1)[500:2500])
    np.testing.assert_allclose(audio[1, :10], bank.clip(0)[8990:])
    assert not audio[1, 10:].any()


def test_a_rare_system_is_told_by_its_family() -> None:
    def clip(label: int, system: str, family: str) -> Clip:
        return Clip(Path("x"), label, family, system, "s")

    clips = [clip(0, "bonafide", "bonafide")] * 3 + [clip(1, "melgan", "gan-vocoder")] * 3
    clips += [clip(1, "hifigan", "gan-vocoder"), clip(1, "", "neural-codec")]
    classes = class_names(clips, 3)
    assert classes == ("bonafide", "gan-vocoder", "melgan", "neural-codec")
    assert class_numbers(clips, classes).tolist() == [0, 0, 0, 2, 2, 2, 1, 3]
    assert class_numbers([clip(1, "x", "y"), clip(0, "", "")], classes).tolist() == [-1, 0]


def test_the_odds_are_those_of_all_systems_together() -> None:
    p = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.6, 0.3]])
    torch.testing.assert_close(log_odds(p.log()), torch.tensor([1.0, 9.0]).log())


def test_classes_are_weighed_alike(corpus: Path, tmp_path: Path) -> None:
    """Half of the clips are bona fide and three classes share the rest: their weights make up for it."""
    (clips,), dev = gather([corpus])
    banks = [build_bank(some, tmp_path, 1, lambda *_: None) for some in (clips, dev)]
    learner = BaselineLearner(BaselineConfig(CLASSES, SMALL), BaselineSettings(rows=24), *banks, CPU)
    assert learner.weight.tolist() == pytest.approx([0.5, 1.5, 1.5, 1.5])
    _, _, first = learner._draw()
    assert torch.bincount(first).tolist() == [12, 4, 4, 4], "a round through the set holds each clip once"


def test_it_learns_and_is_taken_up_again(corpus: Path, tmp_path: Path, trained: Path) -> None:
    _train(corpus, tmp_path, 20)
    path, result = _train(corpus, tmp_path, 40)
    assert "resumed at step 20" in result
    assert any("cannot stream" in line for line in result)
    history = json.loads((tmp_path / "history.json").read_text())
    assert [row["step"] for row in history] == [10, 20, 30, 40]
    assert history[-1]["lab_eer"] == 0.0
    assert history[-1]["dev_accuracy"] > 0.9
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    again, whole = load_bilstm(path)[0].state_dict(), load_bilstm(trained)[0].state_dict()
    assert all(torch.equal(again[name], whole[name]) for name in whole), "as if it had never stopped"
    learned = json.loads(describe(path)["training"])
    assert (learned["clips"], learned["steps"], learned["settings"]["rows"]) == (24, 40, 8)


def test_another_seed_gives_other_weights_and_another_folder_is_asked_for(corpus: Path, tmp_path: Path) -> None:
    one, other = (load_bilstm(_train(corpus, tmp_path / str(s), 2, seed=s)[0])[0].state_dict() for s in (1, 2))
    assert not torch.equal(one["head.weight"], other["head.weight"])
    held = torch.load(tmp_path / "1" / "checkpoint.pt", weights_only=True)
    torch.save(held | {"classes": ["bonafide", "x"]}, tmp_path / "1" / "checkpoint.pt")
    with pytest.raises(ValueError, match="another training"):
        _train(corpus, tmp_path / "1", 4)


def test_its_weights_are_no_detector_and_a_detector_is_not_one(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no weights of this program"):
        load_detector(trained)
    with pytest.raises(CheckpointError, match="no weights of this program"):
        load_bilstm(make_weights(tmp_path / "hiss.safetensors"))


def test_the_report_shows_it_beside_the_streamed_network(corpus: Path, trained: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--corpus", str(corpus), "--weights", str(make_weights(tmp_path / "hiss.safetensors"))]
    words += ["--out", str(tmp_path), "--workers", "1", "--cache", str(tmp_path / "cache"), "--rounds", "20"]
    words += ["--channel", "clean", "--channel", "narrow", "--device", "cpu", "--beside", str(trained)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "report.json").read_text())
    beside = found["beside"]
    assert beside["weights_hash"] == describe(trained)["sha256"]
    assert set(beside["figures"]) == {"clean", "narrow"}
    network, clips = load_bilstm(trained)[0], choose([corpus], "dev")
    scores = []
    for clip in clips:  # file by file, whole
        bank = build_bank([clip], tmp_path / "cache", 1, lambda *_: None)
        scores.append(float(log_odds(logits_of_clips(network, bank))[0]))
    score, label = np.array(scores), np.array([c.label for c in clips])
    theirs, ours = (beside["figures"]["clean"]["all"][name] for name in ("seed-bilstm", "streamed"))
    assert theirs["eer"]["value"] == pytest.approx(eer(score, label), abs=1e-4)
    assert theirs["auc"]["value"] == pytest.approx(auc(score, label), abs=1e-4)
    assert theirs["accuracy"] == pytest.approx(np.mean((score > 0) == label), abs=1e-4)
    assert 0.5 < theirs["named"] <= 1.0
    assert ours["eer"] == found["channels"]["clean"]["all"]["whole"]["figures"]["eer"]
    assert (ours["accuracy"], ours["named"]) == (1.0, None)
    page = (tmp_path / "report.html").read_text()
    assert "Beside an offline network" in page
    assert "cannot stream" in page
    assert "seed-bilstm" in done.output
    bad = CliRunner().invoke(app, [*words[:-1], str(tmp_path / "hiss.safetensors")])
    assert "no weights of this program" in str(bad.exception)


def test_shares_are_of_clips_and_of_labels() -> None:
    found = compared(np.array([1.0, 2.0, -1.0, 3.0, -2.0]), np.array([1, 1, 1, 0, 0]), 20)
    assert found.accuracy == 0.6
    assert found.balanced == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found.named is None


def _words(corpus: Path, out: Path, *more: str) -> list[str]:
    words = ["baseline", "--corpus", str(corpus), "--out", str(out), "--cache", str(corpus.parent / "cache")]
    return [*words, "--rows", "2", "--workers", "1", "--device", "cpu", *more]


def test_the_command_needs_no_decoders_once_the_speech_is_prepared(corpus: Path, tmp_path: Path, trained: Path) -> None:
    """At its full size, in a process where nothing that reads sound files can be imported."""
    assert trained.exists(), "it filled the cache"
    program = f"""
import sys
for name in ("soundfile", "soxr", "av", "librosa", "torchaudio", "sounddevice", "sklearn"):
    sys.modules[name] = None
import torch
from training.cli.main import app
app({_words(corpus, tmp_path, "--steps", "1")!r})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    network, metadata = load_bilstm(tmp_path / "weights.safetensors")
    assert network.config == BaselineConfig(CLASSES, (256, 1024), 0.0)
    learned = json.loads(metadata["training"])
    assert (learned["settings"]["weight_decay"], learned["settings"]["learning_rate"]) == (0.0, 1e-3)


def test_options_of_networks_that_stream_are_refused(corpus: Path, tmp_path: Path) -> None:
    bad = CliRunner().invoke(app, _words(corpus, tmp_path, "--features", "mel"))
    assert bad.exit_code == 2
    assert "No such option" in bad.output
    bad = CliRunner().invoke(app, ["train", *_words(corpus, tmp_path, "--network", "seed-bilstm")[1:]])
    assert bad.exit_code == 2
    assert "training baseline" in bad.output


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_it_learns_alike(corpus: Path, tmp_path: Path) -> None:
    for device in ("cpu", "auto"):
        _train(corpus, tmp_path / device, 40, device=device)
    cpu, gpu = (json.loads((tmp_path / d / "history.json").read_text())[-1] for d in ("cpu", "auto"))
    assert gpu["lab_eer"] == cpu["lab_eer"] == 0.0
    assert gpu["loss"] == pytest.approx(cpu["loss"], rel=0.2)
