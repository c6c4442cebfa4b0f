"""`monitor serve` as users run it: real phones and senders in, events out."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import peers
import pytest
from helpers import Running, assert_one_error, run_here, run_monitor, settings, turning_call, voice, write_wav
from serving import select, serving

from model.resample import resample_all

pytestmark = pytest.mark.realtime

needs_gstreamer = pytest.mark.skipif(bool(peers.missing("gst-launch-1.0")), reason="GStreamer is not installed")
needs_sip = pytest.mark.skipif(bool(peers.missing("baresip", "sipp")), reason="baresip or sipp is not installed")


@needs_gstreamer
def test_the_two_parties_of_a_call_and_one_that_turns_synthetic(tmp_path: Path) -> None:
    human = write_wav(tmp_path / "human.wav", voice(9.0, seed=4))
    turning = write_wav(tmp_path / "turning.wav", turning_call(3, 4, 2))
    one, other = peers.free_port(), peers.free_port()
    types = settings(f"taps.rtp.payload_types={peers.DYNAMIC}")
    with serving(tmp_path, "--rtp", f"127.0.0.1:{one}+{other}", *types) as monitor:
        speaking = [
            subprocess.Popen(peers.gstreamer(human, "L16", one)),
            subprocess.Popen(peers.gstreamer(turning, "L16", other)),
        ]
        try:
            opened = monitor.wait_for(lambda line: '"alert.opened"' in line)
            monitor.wait_for(lambda line: '"call.ended"' in line)
        finally:
            for process in speaking:
                process.kill()
                process.wait()
    assert '"channel":"callee"' in opened
    assert len(select(monitor, "alert.opened")) == 1
    assert 3.0 < select(monitor, "alert.opened")[0]["opened_s"] < 6.0
    (started,) = select(monitor, "call.started")
    assert started["channels"] == ["caller", "callee"]
    assert select(monitor, "call.ended")[0]["why"] == "nothing came for 2 s"


@needs_sip
def test_a_phone_whose_call_is_answered_into_the_monitor(tmp_path: Path) -> None:
    spoken = write_wav(tmp_path / "spoken.wav", resample_all(voice(6.0), 16_000, 8000), 8000)
    media, sip = peers.free_port(), peers.free_port()
    with serving(tmp_path, "--rtp", f"127.0.0.1:{media}") as monitor:
        answering = Running(peers.sipp_answers(tmp_path, sip, media), tmp_path)
        with answering, Running(peers.baresip(tmp_path / "phone", spoken, sip, 8), tmp_path):
            monitor.wait_for(lambda line: '"call.ended"' in line)
    (started,) = select(monitor, "call.started")
    assert started["details"]["port"] == str(media)
    (last,) = select(monitor, "call.ended")
    assert last["duration_s"] == pytest.approx(6.0, abs=0.3)
    assert last["lost_s"] == 0
    assert last["channels"]["party"]["net_speech_s"] > 4.0


@needs_sip
@pytest.mark.skipif(os.geteuid() != 0, reason="sipp plays a capture through a raw socket, which is for root")
def test_packets_of_30_ms_and_key_presses_under_another_ssrc(tmp_path: Path) -> None:
    media, sip = peers.free_port(), peers.free_port()
    with serving(tmp_path, "--rtp", f"127.0.0.1:{media}") as monitor:
        answering = Running(peers.sipp_answers(tmp_path, sip, media), tmp_path)
        with answering, Running(peers.sipp_plays_its_capture(tmp_path, sip), tmp_path):
            monitor.wait_for(lambda line: '"call.ended"' in line)
    assert len(select(monitor, "call.started")) == 1
    (ended,) = select(monitor, "call.ended")
    assert ended["lost_s"] == 0
    assert 6.5 < ended["duration_s"] < 9.0
    assert ended["channels"]["party"]["net_speech_s"] > 3.0


@needs_gstreamer
def test_more_calls_than_are_allowed_are_not_taken(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "human.wav", voice(4.0))
    port = peers.free_port()
    with serving(tmp_path, "--rtp", f"127.0.0.1:{port}", *settings("serve.max_calls=1")) as monitor:
        first = subprocess.Popen(peers.gstreamer(wav, "PCMU", port))
        monitor.wait_for(lambda line: '"call.started"' in line)
        second = subprocess.run(peers.gstreamer(wav, "PCMU", port), timeout=60, check=False)
        first.wait(60)
        monitor.wait_for(lambda line: '"call.ended"' in line)
    assert second.returncode == 0
    assert len(select(monitor, "call.started")) == 1
    assert any(e["code"] == "refused" and "serve.max_calls = 1" in e["detail"] for e in select(monitor, "health"))


@needs_gstreamer
def test_audio_of_a_kind_that_nobody_described_is_said(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "human.wav", voice(3.0))
    port = peers.free_port()
    sending = peers.gstreamer(wav, "OPUS", port)
    with serving(tmp_path, "--rtp", f"127.0.0.1:{port}") as monitor, Running(sending, tmp_path):
        result = monitor.wait_for(lambda line: '"not heard"' in line)
    assert "a payload type that taps.rtp.payload_types does not name (96)" in result


def test_no_tap_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_error(run_here(capsys, "serve"), "no tap is switched on", "--rtp 127.0.0.1:5004")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--rtp", "5004"), "is not an address"),
        (("--rtp", "127.0.0.1:70000"), "is not an address"),
        (("--rtp", "127.0.0.1:1+2+3"), "is not an address"),
        (("--rtp", "192.0.2.77:5004", "--insecure"), "no address of this machine"),
        (("--rtp", "127.0.0.1:5004", *settings('taps.rtp.payload_types={96="mp4/1"}')), "is not valid"),
        (("--rtp", "127.0.0.1:5004", *settings("taps.rtp.sdp=nothing.sdp")), "nothing.sdp cannot be read"),
        (("--rtp", "0.0.0.0:5004"), "--insecure"),
    ],
)
def test_what_cannot_be_listened_to_is_one_error(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_error(run_here(capsys, "serve", *words, "--no-publish"), says)


def test_a_port_that_is_taken_is_one_error(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = run_monitor("serve", "--rtp", address, "--no-publish", cwd=tmp_path)
    assert_one_error(ran, "is in use")
