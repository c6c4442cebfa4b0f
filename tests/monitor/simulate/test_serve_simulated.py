"""`monitor serve` and `monitor simulate`, each a process: what far ends play is heard as it was meant."""

from __future__ import annotations

import json
import socket
import struct
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pytest
import soundfile
from helpers import LIMIT_S, Running, assert_one_error, run_here, settings, turning_call, voice, write_wav
from serving import select, serving, simulate, wait_until

from monitor.rtp.packet import HEADER
from monitor.taps.audiosocket.frame_parser import UUID, pack

pytestmark = pytest.mark.realtime

NAME = uuid.UUID("7e8c9f2a-0b1c-4d2e-8f3a-4b5c6d7e8f90")


def played(tmp_path: Path, monitor: Running, *words: str | Path, calls: int = 1) -> list[dict[str, Any]]:
    """Run a simulator to its end. Returns the last words on its calls."""
    before = len(select(monitor, "call.ended"))
    with simulate(tmp_path, *words) as far:
        assert far.end() == 0, far.stderr
    wait_until(monitor, lambda: len(select(monitor, "call.ended")) >= before + calls)
    return select(monitor, "call.ended")[before:]


def test_rtp_of_a_clock_that_drifts_a_new_ssrc_and_a_jump_of_time_is_one_call_each(tmp_path: Path) -> None:
    wav, port = write_wav(tmp_path / "turning.wav", turning_call(3, 4, 2)), peers.free_port()
    to = f"127.0.0.1:{port}"
    with serving(tmp_path, "--rtp", to) as monitor:
        for options in (["clock-ppm=200"], ["ssrc-change-at=2.5"], ["timestamp-jump-at=2.5"]):
            words = [w for option in (*options, "codec=G722") for w in ("--with", option)]
            (last,) = played(tmp_path, monitor, "rtp", wav, to, *words)
            assert last["why"] == "the sender said BYE"
            assert last["lost_s"] < 0.1, "a new SSRC is placed by when it came, however late the sender was"
            assert last["duration_s"] == pytest.approx(9.0, abs=0.3), options
            assert last["channels"]["party"]["alerts"] == 1
    assert len(select(monitor, "call.started")) == 3


def test_evidence_of_a_live_call_verifies_and_is_told_by_a_report(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wav, to = write_wav(tmp_path / "turning.wav", turning_call(4, 4, 4)), f"127.0.0.1:{peers.free_port()}"
    span = settings("evidence_store.before_s=2", "evidence_store.after_s=2")
    with serving(tmp_path, "--rtp", to, "--evidence", "kept", *span) as monitor:
        (last,) = played(tmp_path, monitor, "rtp", wav, to, "--with", "codec=G722")
        assert last["channels"]["party"]["alerts"] == 1
    (folder,) = (tmp_path / "kept").iterdir()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["call"] == last["call"]
    (facts,) = manifest["audio"]
    samples, rate = soundfile.read(folder / facts["file"])
    assert rate == 16_000
    assert len(samples) == manifest["last_sample"] - manifest["first_sample"] >= 3 * rate
    assert np.abs(samples).max() > 0.05
    assert run_here(capfd, "verify", tmp_path / "kept").status == 0
    assert run_here(capfd, "verify", tmp_path / "journal").status == 0
    page = tmp_path / "report.html"
    assert run_here(capfd, "report", tmp_path / "journal", tmp_path / "kept", "-o", page).status == 0
    assert "1 alert was raised on party" in " ".join(page.read_text().split())
    assert page.read_text().count("data:image/png") == 1


def test_both_parties_of_several_calls_keep_together(tmp_path: Path) -> None:
    pair = np.stack([voice(8.0, seed=4), turning_call(3, 4, 1)], axis=1)
    wav, one, other = write_wav(tmp_path / "pair.wav", pair), peers.free_port(), peers.free_port()
    to = f"127.0.0.1:{one}+{other}"
    with serving(tmp_path, "--rtp", to) as monitor:
        network = ("--calls", "3", "--loss", "0.05", "--jitter-ms", "20", "--reorder", "--with", "codec=G722")
        ended = played(tmp_path, monitor, "rtp", wav, to, *network, calls=3)
    assert len(select(monitor, "call.started")) == 3
    for last in ended:
        assert [last["channels"][name]["alerts"] for name in ("caller", "callee")] == [0, 1]
        assert 0.1 < last["lost_s"] < 1.0


def test_audiosocket_alerts_at_once_and_one_connection_is_one_channel(tmp_path: Path) -> None:
    pair = np.stack([voice(8.0, seed=4), turning_call(3, 4, 1)], axis=1)
    wav, to = write_wav(tmp_path / "pair.wav", pair), f"127.0.0.1:{peers.free_port()}"
    with serving(tmp_path, "--audiosocket", to) as monitor:
        words = ("--with", "rate=24000", "--with", "rate-change-at=1.5", "--with", f"uuid={NAME}")
        ended = played(tmp_path, monitor, "audiosocket", wav, to, *words, calls=2)
    alerts = {last["call"]: last["channels"]["party"]["alerts"] for last in ended}
    assert alerts == {f"audiosocket-{NAME}": 0, f"audiosocket-{uuid.UUID(int=NAME.int + 1)}": 1}
    assert [last["why"] for last in ended] == ["the peer hung up"] * 2
    assert [last["lost_s"] for last in ended] == [0, 0]


def test_a_uuid_that_is_not_allowed_is_hung_up_on(tmp_path: Path) -> None:
    wav, to = write_wav(tmp_path / "human.wav", voice(3.0)), f"127.0.0.1:{peers.free_port()}"
    allowed = settings(f'taps.audiosocket.allow=["{NAME}"]')
    with serving(tmp_path, "--audiosocket", to, *allowed) as monitor:
        with simulate(tmp_path, "audiosocket", wav, to, "--with", f"uuid={uuid.UUID(int=7)}") as far:
            assert far.end() == 2
        assert "the monitor refused: it hung up" in far.stderr
        result = monitor.wait_for(lambda line: '"not heard"' in line)
        assert "a UUID that taps.audiosocket.allow does not name" in result
        (last,) = played(tmp_path, monitor, "audiosocket", wav, to, "--with", f"uuid={NAME}")
    assert last["why"] == "the peer hung up"
    assert len(select(monitor, "call.started")) == 1


def connected(to: str, data: bytes = b"") -> socket.socket:
    host, _, port = to.rpartition(":")
    made = socket.create_connection((host, int(port)), 10)
    made.sendall(data)
    return made


def vanish(to: str) -> None:
    """A connection that is reset, as of a program that was killed with unread data."""
    gone = connected(to, pack(UUID, uuid.UUID(int=3).bytes) + pack(0x10, bytes(320)) + b"\x10\x01")
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()


def test_peers_that_misbehave_cost_their_own_calls_and_are_counted_in_words(tmp_path: Path) -> None:
    wav, to = write_wav(tmp_path / "human.wav", voice(6.0)), f"127.0.0.1:{peers.free_port()}"
    quick = settings("taps.audiosocket.hello_s=1.0")
    frame = pack(0x10, bytes(320))
    with serving(tmp_path, "--audiosocket", to, *quick) as monitor:
        with simulate(tmp_path, "audiosocket", wav, to, "--with", "rate=16000") as honest:
            monitor.wait_for(lambda line: '"call.started"' in line)
            bad = [
                connected(to),
                connected(to, b"GET / HTTP/1.1\r\nHost: monitor\r\n\r\n" + bytes(30_000)),
                connected(to, pack(UUID, uuid.UUID(int=1).bytes) + b"\x10\xff\xff" + bytes(500)),
                connected(to, pack(UUID, uuid.UUID(int=2).bytes) + frame + pack(UUID, uuid.UUID(int=2).bytes)),
                connected(to, pack(UUID, uuid.UUID(int=4).bytes) + frame * 200),
                connected(to, pack(UUID, uuid.UUID(int=4).bytes)),
            ]
            vanish(to)
            for why in ("no UUID within 1 s", "no UUID first", "a second UUID", "refused: a call of that name"):
                monitor.wait_for(lambda line, why=why: '"not heard"' in line and why in line)
            monitor.wait_for(lambda line: "read more slowly" in line)
            # The tap and the router both notice; which is first depends on the machine.
            half, ends = str(uuid.UUID(int=1)), ("stopped in the middle of a frame", "nothing came for")
            monitor.wait_for(lambda line: '"call.ended"' in line and half in line and any(why in line for why in ends))
            assert honest.end() == 0, honest.stderr
            for each in bad:
                each.close()
        monitor.wait_for(lambda line: '"call.ended"' in line and "the peer hung up" in line)
    (last,) = [e for e in select(monitor, "call.ended") if e["why"] == "the peer hung up"]
    assert last["lost_s"] == 0
    assert last["duration_s"] > 5.9
    assert any("in the middle of a frame" in e["why"] for e in select(monitor, "call.ended", str(uuid.UUID(int=3))))


def test_a_peer_that_is_only_silent_hears_a_sign_of_life_and_keeps_its_call(tmp_path: Path) -> None:
    to = f"127.0.0.1:{peers.free_port()}"
    # Long enough to be paused before it is idle.
    with serving(tmp_path, "--audiosocket", to, *settings("serve.idle_s=20")) as monitor:
        peer = connected(to, pack(UUID, NAME.bytes) + pack(0x10, bytes(320)))
        peer.settimeout(LIMIT_S)
        assert peer.recv(3) == b"\x10\x01\x40"
        monitor.wait_for(lambda line: '"paused"' in line)
        peer.sendall(pack(0x10, bytes(320)))
        monitor.wait_for(lambda line: '"recovered"' in line)
        peer.close()
        monitor.wait_for(lambda line: '"call.ended"' in line)


def test_one_host_has_no_more_calls_than_it_may(tmp_path: Path) -> None:
    wav, port = write_wav(tmp_path / "human.wav", voice(2.0)), peers.free_port()
    with serving(tmp_path, "--rtp", f"127.0.0.1:{port}", *settings("serve.max_calls_per_peer=2")) as monitor:
        played(tmp_path, monitor, "rtp", wav, f"127.0.0.1:{port}", "--calls", "4", calls=2)
    assert len(select(monitor, "call.started")) == 2
    assert any("serve.max_calls_per_peer = 2" in e["detail"] for e in select(monitor, "health"))


def test_a_flood_of_ssrcs_of_one_host_is_bounded_and_said(tmp_path: Path) -> None:
    wav, port = write_wav(tmp_path / "human.wav", voice(4.0)), peers.free_port()
    to = f"127.0.0.1:{port}"
    with serving(tmp_path, "--rtp", to) as monitor, simulate(tmp_path, "rtp", wav, to) as honest:
        monitor.wait_for(lambda line: '"call.started"' in line)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
            for ssrc in range(20_000):
                flood.sendto(HEADER.pack(0x80, 0, 1, 1, ssrc) + bytes(160), ("127.0.0.1", port))
        result = monitor.wait_for(lambda line: '"not heard"' in line and "belong to no call" in line)
        assert honest.end() == 0
        monitor.wait_for(lambda line: '"call.ended"' in line)
    assert "more than 200 datagrams a second of a sender" in result
    assert len(select(monitor, "call.started")) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("rtp", "--with", "codec=mp3"), "codec=MP3 cannot be sent"),
        (("rtp", "--with", "frame_ms=7"), "frame_ms=7 is not a supported length"),
        (("rtp", "--with", "frame_ms=x"), "frame_ms=x is not a number"),
        (("rtp", "--with", "payload_type=200"), "payload_type=200 is not a payload type"),
        (("rtp", "--with", "bye=perhaps"), "bye=perhaps is not valid"),
        (("rtp", "--with", "speed=2"), "rtp has no option speed"),
        (("rtp", "--to", "5004"), "'5004' is not an address"),
        (("audiosocket", "--with", "rate=11025"), "rate=11025 has no type of frame"),
        (("audiosocket", "--with", "frame_ms=900"), "frame_ms=900 cannot be sent"),
        (("audiosocket", "--with", "uuid=7"), "uuid=7 is not a UUID"),
        (("audiosocket", "--with", "end=never"), "end=never is not valid"),
        (("audiosocket", "--to", "here"), "'here' is not an address"),
        (("twilio", "--reorder"), "twilio keeps the order"),
        (("vonage", "--loss", "0.1"), "TCP loses nothing"),
        (("twilio", "--with", "codec=G729"), "there is no such codec"),
        (("vonage", "--with", "rate=4000"), "is not a sample rate"),
        (("twilio", "--to", "http://127.0.0.1:1"), "is not a WebSocket address"),
        (("telnyx", "--with", "colour=red"), "telnyx has no option colour"),
    ],
)
def test_what_cannot_be_played_is_one_error(
    words: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wav = write_wav(tmp_path / "call.wav", voice(0.5))
    assert_one_error(run_here(capsys, "simulate", words[0], wav, *words[1:]), says)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--audiosocket", "9092"), "is not an address"),
        (("--audiosocket", "[::1:9092"), "is not an address"),
        (("--audiosocket", "0.0.0.0:9092"), "--insecure"),
        (("--audiosocket", "127.0.0.1:9092", *settings('taps.audiosocket.allow=["7"]')), "'7' is not a UUID"),
        (("--audiosocket", "192.0.2.77:9092", "--insecure"), "no address of this machine"),
    ],
)
def test_what_audiosocket_cannot_listen_to_is_one_error(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_error(run_here(capsys, "serve", *words, "--no-publish"), says)
