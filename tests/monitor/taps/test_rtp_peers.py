"""RTP of senders that nobody here wrote, into the real listener on loopback: what they said is what is heard."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import peers
import pytest
from helpers import turning_call, voice, write_wav

from model.resample import resample_all
from monitor.audio import Audio
from monitor.config.taps import RtpSection
from monitor.rtp.sound import DecodedAudio
from monitor.taps.rtp.listener import RtpListener
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted, TapEvent
from monitor.types import SAMPLE_RATE

pytestmark = pytest.mark.slow  # each sender takes seconds, and none needs the machine for itself

LIMIT_S = 40.0
LEAST = {"PCMU": 0.99, "PCMA": 0.99, "G722": 0.999, "L16": 0.999, "OPUS": 0.95}
TYPES = {"96": "opus/48000/2", "97": "L16/16000/1"}

needs_gstreamer = pytest.mark.skipif(bool(peers.missing("gst-launch-1.0")), reason="GStreamer is not installed")
needs_ffmpeg = pytest.mark.skipif(bool(peers.missing("ffmpeg")), reason="ffmpeg is not installed")


async def _heard(address: str, command: Sequence[str]) -> list[TapEvent]:
    """Run a sender into a listener until its call has ended, by BYE or by silence."""
    result: list[TapEvent] = []
    listener = RtpListener(RtpSection(listen=[address], payload_types=TYPES), result.append, 1.0)
    listening = asyncio.create_task(listener.run())
    await asyncio.wait_for(listener.ready.wait(), LIMIT_S)
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    try:
        _, errors = await asyncio.wait_for(process.communicate(), LIMIT_S)
        assert process.returncode == 0, errors.decode()
        async with asyncio.timeout(LIMIT_S):
            while sum(isinstance(h, CallEnded) for h in result) < sum(isinstance(h, CallStarted) for h in result):
                await asyncio.sleep(0.05)
    finally:
        if process.returncode is None:
            process.kill()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return result


def heard(command: Callable[[int], Sequence[str]], host: str = "127.0.0.1") -> list[TapEvent]:
    """What the listener says of a sender, whose command line is made of the port."""
    port = peers.free_port(host.strip("[]"))
    return asyncio.run(_heard(f"{host}:{port}", command(port)))


def audio_of(result: Sequence[TapEvent], channel: int = 0) -> Audio:
    """What came of a channel; what was lost is NaN, though something may stand in for it."""
    pieces = [h for h in result if isinstance(h, CallAudio) and h.channel == channel]
    out = np.zeros(max(p.start + len(p.samples) for p in pieces), np.float32)
    for p in pieces:
        lost = DecodedAudio(p.samples, p.concealed).lost
        out[p.start : p.start + len(p.samples)] = np.where(lost, np.float32(np.nan), p.samples)
    return out


def correlation(spoken: Audio, got: Audio) -> float:
    """Correlation at the best delay, where audio was heard."""
    size = 1 << 19
    clean = np.nan_to_num(got)
    lag = int(np.fft.irfft(np.fft.rfft(clean, size) * np.conj(np.fft.rfft(spoken, size))).argmax())
    lag = lag if lag < size // 2 else lag - size
    # Before the first packet that came nothing was heard.
    got = got[lag:] if lag >= 0 else np.concatenate([np.full(-lag, np.nan, np.float32), got])
    n = min(len(got), len(spoken))
    there = np.isfinite(got[:n])
    return float(np.corrcoef(spoken[:n][there], got[:n][there])[0, 1])


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Audio]:
    """Four seconds of a voice below 3.4 kHz, which every codec carries."""
    audio = resample_all(
        resample_all(turning_call(4.0, 0.0, 0.0)[: 4 * SAMPLE_RATE], SAMPLE_RATE, 7000), 7000, SAMPLE_RATE
    )
    path = write_wav(tmp_path_factory.mktemp("rtp") / "call.wav", resample_all(audio, SAMPLE_RATE, 48_000), 48_000)
    return path, audio


@pytest.mark.parametrize("codec", list(peers.CODECS))
@pytest.mark.parametrize(
    ("send", "beyond_s"),
    [pytest.param(peers.gstreamer, 0.1, marks=needs_gstreamer), pytest.param(peers.ffmpeg, 0.2, marks=needs_ffmpeg)],
)
def test_what_another_program_sends_is_heard(
    send: Callable[..., list[str]], beyond_s: float, codec: str, call: tuple[Path, Audio]
) -> None:
    got = audio_of(heard(lambda port: send(call[0], codec, port)))
    assert not np.isnan(got).any()
    assert abs(len(got) - len(call[1])) < beyond_s * SAMPLE_RATE
    assert correlation(call[1], got) >= LEAST[codec]


@needs_gstreamer
@pytest.mark.parametrize("codec", list(peers.CODECS))
def test_gstreamer_over_a_bad_network(codec: str, call: tuple[Path, Audio]) -> None:
    """What comes is heard where it belongs; what does not is marked, and little more than that."""
    result = heard(lambda port: peers.gstreamer(call[0], codec, port, peers.BAD_NETWORK))
    got = audio_of(result)
    lost = float(np.isnan(got).mean())
    assert 0.01 < lost < 0.15
    # Lost at either end without a trace: few packets, and those that GStreamer still delays when it ends.
    assert abs(len(got) - len(call[1])) < 0.2 * SAMPLE_RATE
    # The decoders of Opus and G.722 carry a state, which takes a while to agree again after a loss.
    assert correlation(call[1], got) >= (0.9 if codec in ("OPUS", "G722") else 0.98)


@needs_gstreamer
def test_opus_that_sends_nothing_in_silence(tmp_path: Path) -> None:
    """GStreamer's first step is 648 ticks, a pause has a packet each 420 ms, and every one after it is marked."""
    spoken = speech_with_a_pause()
    wav = write_wav(tmp_path / "pause.wav", resample_all(spoken, SAMPLE_RATE, 48_000), 48_000)
    sender = "opusenc bitrate=24000 frame-size=20 dtx=true ! rtpopuspay pt=96 dtx=true"
    result = heard(lambda port: peers.gstreamer(wav, "OPUS", port, encoder=sender))
    got = audio_of(result)
    assert not np.isnan(got).any(), "a pause is no loss"
    assert abs(len(got) - len(spoken)) < 0.1 * SAMPLE_RATE
    assert correlation(spoken, got) >= 0.98
    assert np.abs(got[round(2.8 * SAMPLE_RATE) : round(4.6 * SAMPLE_RATE)]).max() < 0.02


@needs_gstreamer
@pytest.mark.parametrize("network", ["", peers.BAD_NETWORK])
def test_opus_with_forward_error_correction(network: str, call: tuple[Path, Audio]) -> None:
    """It is decoded as any other; what it says of the packet before is not used, so that a loss stays a loss."""
    sender = "opusenc bitrate=24000 frame-size=20 inband-fec=true packet-loss-percentage=20 ! rtpopuspay pt=96"
    result = heard(lambda port: peers.gstreamer(call[0], "OPUS", port, network, encoder=sender))
    got = audio_of(result)
    assert (np.isnan(got).mean() > 0.01) == bool(network)
    assert abs(len(got) - len(call[1])) < 0.2 * SAMPLE_RATE
    assert correlation(call[1], got) >= (0.6 if network else 0.7)


def speech_with_a_pause() -> Audio:
    """Two seconds, a pause of three, and two seconds."""
    spoken = resample_all(resample_all(voice(4.0), SAMPLE_RATE, 7000), 7000, SAMPLE_RATE)[: 4 * SAMPLE_RATE]
    return np.concatenate([spoken[: 2 * SAMPLE_RATE], np.zeros(3 * SAMPLE_RATE, np.float32), spoken[2 * SAMPLE_RATE :]])


@needs_gstreamer
def test_ipv6(call: tuple[Path, Audio]) -> None:
    result = heard(lambda port: peers.gstreamer(call[0], "PCMU", port, host="::1"), host="[::1]")
    assert correlation(call[1], audio_of(result)) >= 0.99
