"""A phone that is muted, put on hold, taken back and asked for another codec: live, and as a capture of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import peers
import pytest
from capture_calls import heard, only
from helpers import Running, voice, write_wav

from model.resample import resample_all
from monitor.audio import Audio
from monitor.config.taps import RtpSection
from monitor.rtp.sound import DecodedAudio
from monitor.taps.rtp.listener import RtpListener
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted, TapEvent
from monitor.types import SAMPLE_RATE

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(bool(peers.missing("baresip", "sipp", "dumpcap")), reason="needs baresip, sipp and dumpcap"),
    pytest.mark.skipif(os.geteuid() != 0, reason="captures on loopback, which is for root"),
]
STEPS = (("mute", 2.0), ("mute", 2.0), ("hold", 3.0), ("resume", 3.0), ("hangup", 0.5))
"""What the phone is told after two seconds of talk, and how long each lasts."""


@dataclass(frozen=True)
class Phoned:
    """said: by the listener. path: of the capture. spoken: what the phone plays. at: seconds from the capture's begin
    to each step.
    """

    result: list[TapEvent]
    path: Path
    spoken: Audio


@pytest.fixture(scope="module")
def phoned(tmp_path_factory: pytest.TempPathFactory) -> Phoned:
    folder = tmp_path_factory.mktemp("phone")
    spoken = resample_all(resample_all(voice(20.0), SAMPLE_RATE, 7000), 7000, SAMPLE_RATE)
    wav = write_wav(folder / "spoken.wav", resample_all(spoken, SAMPLE_RATE, 8000), 8000)
    result = asyncio.run(_call(folder, wav))
    return Phoned(result, folder / "phone.pcapng", spoken)


async def _call(folder: Path, wav: Path) -> list[TapEvent]:
    media, sip, control = (peers.free_port() for _ in range(3))
    result: list[TapEvent] = []
    listener = RtpListener(RtpSection(listen=[f"127.0.0.1:{media}"]), result.append, 6.0)
    listening = asyncio.create_task(listener.run())
    await asyncio.wait_for(listener.ready.wait(), 30)
    with ExitStack() as stack:
        stack.enter_context(capturing(folder / "phone.pcapng"))
        stack.enter_context(Running(peers.sipp_answers_again(folder, sip, media), folder))
        stack.enter_context(Running(peers.baresip(folder / "phone", wav, sip, 60, control), folder))
        async with asyncio.timeout(30):
            while not any(isinstance(h, CallStarted) for h in result):
                await asyncio.sleep(0.02)
        await asyncio.sleep(2.0)
        for command, seconds in STEPS:
            await asyncio.to_thread(peers.send_command, control, command)
            await asyncio.sleep(seconds)
    async with asyncio.timeout(30):
        while not any(isinstance(h, CallEnded) for h in result):
            await asyncio.sleep(0.05)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    return result


@contextmanager
def capturing(path: Path) -> Iterator[None]:
    """With dumpcap, on loopback, once it has begun and until it has written all."""
    words = ["dumpcap", "-q", "-i", "lo", "-f", "udp", "-w", str(path)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "File:" not in process.stderr.readline():
        assert process.poll() is None
    try:
        yield
    finally:
        time.sleep(0.5)
        process.terminate()
        process.wait(30)


def check(got: Audio, spoken: Audio) -> None:
    """What was said is there, the rest is silence, and nothing is lost."""
    assert not np.isnan(got).any()
    assert 11.0 < len(got) / SAMPLE_RATE < 14.0
    assert said_alike(got, spoken, 0.2, 1.8), "before it is muted"
    loud = np.abs(got[: len(got) // 320 * 320].reshape(-1, 320)).max(axis=1) > 0.01
    quiet_s = [0.02 * n for n in runs(~loud)]
    assert sum(quiet_s) == pytest.approx(2.0 + 3.0, abs=0.8), "muted, and on hold"
    assert said_alike(got, spoken, len(got) / SAMPLE_RATE - 2.2, len(got) / SAMPLE_RATE - 0.6), "in A-law"


def runs(flags: np.ndarray) -> list[int]:
    """Lengths of the runs of True from half a second on."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [int(n) for n in edges[1::2] - edges[::2] if n >= 25]


def said_alike(got: Audio, spoken: Audio, begin_s: float, end_s: float) -> bool:
    """Whether a part of what was heard is somewhere in what was spoken."""
    part = got[round(begin_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
    size = 1 << 20
    lag = int(np.fft.irfft(np.fft.rfft(spoken, size) * np.conj(np.fft.rfft(part, size))).argmax())
    there = spoken[lag : lag + len(part)]
    return len(there) == len(part) and float(np.corrcoef(there, part)[0, 1]) > 0.97


def test_live(phoned: Phoned) -> None:
    assert sum(isinstance(h, CallStarted) for h in phoned.result) == 1, "one call, whatever the phone does"
    pieces = [h for h in phoned.result if isinstance(h, CallAudio)]
    got = np.zeros(max(p.start + len(p.samples) for p in pieces), np.float32)
    for p in pieces:
        got[p.start : p.start + len(p.samples)] = np.where(DecodedAudio(p.samples, p.concealed).lost, np.nan, p.samples)
    check(got, phoned.spoken)


def test_captured(phoned: Phoned) -> None:
    source = only(phoned.path)
    assert source.channels == ("caller",), "the callee sends nothing"
    audio, conditions = heard(source)
    check(audio[0], phoned.spoken)
    assert not [c for c in conditions if not c.usable]
