"""Fixtures that several test files share."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Before torch reads it. Two threads on busy cores wait for each other many times longer than they compute, and sum in
# another order from run to run.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from hypothesis import settings

if TYPE_CHECKING:  # torch loads for seconds, which the process that hands out the tests need not wait for
    import virtual_mic
    from helpers import Run

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Whoever starts the tests in the background may have these ignored, which the programs under test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine, for a minute at most."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    given = inspect.signature(pyfuncitem.obj).parameters
    test = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in given})
    asyncio.run(asyncio.wait_for(test, 60))
    return True


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command of the monitor in this process, in an empty folder, without settings from the environment."""
    from helpers import run_here

    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MONITOR_")]:
        monkeypatch.delenv(name)
    return lambda *words: run_here(capfd, *words)


@pytest.fixture(scope="session")
def microphones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[virtual_mic.VirtualMicrophones]:
    """A private PulseAudio with the microphones of virtual_mic.RATES."""
    yield from _serving(tmp_path_factory.mktemp("pulse"))


@pytest.fixture
def sound(tmp_path: Path) -> Iterator[virtual_mic.VirtualMicrophones]:
    """One of the test's own, whose outputs may come and go; to-mic1 is the default."""
    yield from _serving(tmp_path / "sound")


def _serving(folder: Path) -> Iterator[virtual_mic.VirtualMicrophones]:
    import virtual_mic

    if missing := virtual_mic.missing():
        pytest.skip(f"virtual microphones: {missing}")
    server = virtual_mic.VirtualMicrophones(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mount is not permitted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a corpus small enough to train on within a test."""
    from tiny_corpus import make_corpus

    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def small_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few other sounds."""
    monkeypatch.setattr("training.learn.material.OTHER_SOUNDS_S", 8)
