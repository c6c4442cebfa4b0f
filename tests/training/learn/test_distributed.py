"""Trainings in two processes on the CPU: one network from speech that each draws for itself, and one voice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_corpus import make_corpus
from typer.testing import CliRunner

from model.checkpoint import load_detector, read_detector
from training.baseline.bilstm import load_bilstm
from training.cli.main import app
from training.learn.distributed import Processes, agreed, own_device, processes, seed_of, share_buffers, wrapped
from training.learn.material import OTHER_SOUNDS_S

HERE = Path(__file__).parents[2]
NETWORKS = ("cnn-lstm", "seed-bilstm")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


def _torchrun(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
    return subprocess.run(
        [*command, "--rdzv-endpoint", "localhost:0", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        cwd=HERE.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)},
    )


@dataclass(frozen=True)
class Training:
    """A training that two processes began, and that two others resumed: out, and what each of them wrote down."""

    out: Path
    began: list[dict[str, Any]]
    resumed: list[dict[str, Any]]


def _written(out: Path) -> list[dict[str, Any]]:
    results = [json.loads((out / f"result-{rank}.json").read_text()) for rank in (0, 1)]
    states = [torch.load(out / f"states-{rank}.pt", weights_only=True) for rank in (0, 1)]
    history = json.loads((out / "history.json").read_text())
    return [one | {"states": held, "history": history} for one, held in zip(results, states, strict=True)]


@pytest.fixture(scope="module")
def trainings(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Training]:
    """By network; two starts of torchrun for all of them, because a process loads for longer than it trains."""
    out, written = tmp_path_factory.mktemp("together"), []
    for steps in ("10", "15"):
        done = _torchrun(HERE / "distributed_training.py", corpus, corpus.parent / "cache", out, steps, *NETWORKS)
        assert done.returncode == 0, done.stderr
        written.append({network: _written(out / network) for network in NETWORKS})
    return {network: Training(out / network, *(found[network] for found in written)) for network in NETWORKS}


@pytest.mark.parametrize("network", NETWORKS)
def test_two_processes_learn_one_network_from_speech_of_their_own(trainings: dict[str, Training], network: str) -> None:
    first, second = trainings[network].began
    for mine, theirs in zip(first["states"], second["states"], strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in mine), "running means of normalisation among them"
    assert all(a != b for a, b in zip(first["losses"], second["losses"], strict=True)), "each has batches of its own"
    history = first["history"]
    assert [row["step"] for row in history] == [5, 10]
    assert history[0]["loss"] == pytest.approx((first["losses"][0] + second["losses"][0]) / 2, rel=0.1)
    assert any("step 10" in line for line in first["said"])
    assert second["said"] == []


@pytest.mark.parametrize("network", NETWORKS)
def test_two_processes_resume_where_two_others_stopped(trainings: dict[str, Training], network: str) -> None:
    again, other = trainings[network].resumed
    path, written = trainings[network].out / "weights.safetensors", again["states"][-1]
    kept = load_bilstm(path)[0] if network == "seed-bilstm" else read_detector(path)
    best = torch.load(trainings[network].out / "checkpoint.pt", weights_only=True)["kept"]
    assert all(torch.equal(kept.state_dict()[name], best[name]) for name in written)
    assert sum("resumed at step 10" in line for line in again["said"]) == 1
    assert len(again["losses"]) == 5
    assert not set(again["losses"]) & set(other["losses"])
    for mine, theirs in zip(again["states"], other["states"], strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def _words(corpus: Path, folder: Path) -> list[str | Path]:
    (folder / "cache").mkdir()
    noise = np.random.default_rng(0).integers(-300, 300, 60 * 16_000).astype(np.int16)
    np.save(folder / "cache" / f"other-sounds-{OTHER_SOUNDS_S}.npy", noise)  # made before: the real ones take 15 s
    words: list[str | Path] = ["--corpus", corpus, "--out", folder / "run", "--cache", folder / "cache", "--rows", "2"]
    words += ["--seconds", "1", "--network", "lstm", "--hidden", "8", "--filters", "20", "--versions", "1"]
    return [*words, "--workers", "1", "--device", "cpu", "--steps", "1"]


def test_the_command_says_each_thing_once(corpus: Path, tmp_path: Path) -> None:
    done = _torchrun("-m", "training", "train", *_words(corpus, tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum("24 training clips" in line for line in lines) == 1
    assert sum(line.startswith("wrote ") for line in lines) == 1
    assert load_detector(tmp_path / "run" / "weights.safetensors").config.features.n_filters == 20


def test_where_the_first_process_fails_the_other_does_not_wait(tmp_path: Path) -> None:
    bad = _torchrun("-m", "training", "train", *_words(tmp_path / "nowhere", tmp_path))
    assert bad.returncode != 0
    assert f"error: there is no folder {tmp_path / 'nowhere'}" in bad.stderr


def test_families_are_left_out_in_one_process(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["leave-out", *map(str, _words(corpus, tmp_path))])
    assert "leave-out trains in one process" in str(done.exception)


def test_without_torchrun_nothing_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    layer = torch.nn.BatchNorm1d(2)
    assert wrapped(layer) is layer
    share_buffers(layer)
    assert layer.running_var.tolist() == [1.0, 1.0]
    assert (processes(), seed_of(7), agreed(0.25), own_device("cpu")) == (Processes(0, 1, 0), 7, 0.25, "cpu")


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert own_device("cuda") == "cuda:1"
    assert own_device("cpu") == "cpu"
    assert not processes().first
    assert seed_of(1) != seed_of(2) != 1
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="has no GPU"):
        own_device("cuda")
