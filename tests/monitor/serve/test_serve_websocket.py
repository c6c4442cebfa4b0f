"""`monitor serve --websocket` in one process, `monitor simulate` in another."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme
from helpers import Running, assert_one_error, run_here, settings, start_monitor, turning_call, voice, write_wav
from test_serve import select, serving
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from monitor.simulate.plan import Impairments
from monitor.simulate.play import read_call
from monitor.simulate.registry import make_peer
from monitor.simulate.simulated_peer import SimulatedCall, SimulationCounts

pytestmark = pytest.mark.realtime

ANYWHERE = ("--websocket", "127.0.0.1:0")
PATIENT = tuple(settings("serve.idle_s=20", "serve.ring_s=20"))
"""So that a machine that is busy loses no audio and ends no call."""


def address(monitor: Running) -> str:
    """Where a server listens."""
    (result,) = [e for e in monitor.events if e.get("code") == "listening"]
    return str(result["detail"]).removeprefix("websocket ")


def words(options: Mapping[str, str]) -> list[str]:
    """--with for each of them."""
    return [word for key, value in options.items() for word in ("--with", f"{key}={value}")]


def stereo(path: Path, seconds: float = 9.0) -> Path:
    """A genuine caller, and a callee that turns synthetic after 3 s."""
    turning = turning_call(3.0, 4.0, 2.0)[: round(seconds * 16_000)]
    return write_wav(path, np.stack([voice(seconds, seed=4)[: len(turning)], turning], axis=1))


async def play(call: Path, to: str, peers: Mapping[str, tuple[Mapping[str, str], Impairments]]) -> None:
    """Calls of several peers at once, each with its options and over its network; the id of each is the peer's name."""
    audio, counts = read_call(call), SimulationCounts()
    await asyncio.gather(
        *(
            make_peer(name).play(
                SimulatedCall(0, audio, f"ws://{to}/{name}", network, {"call": name, **options}), counts
            )
            for name, (options, network) in peers.items()
        )
    )
    assert not counts.faults


CLEAN, WIDE = Impairments(), {"codec": "L16", "rate": "16000"}
HEAR_HISS = {
    "telnyx": (WIDE, Impairments(jitter_ms=30, reorder=True)),
    "signalwire": (WIDE, CLEAN),
    "audiofork": ({}, CLEAN),
}
"""Peers that send both parties with all that is above 6 kHz, where the weights of these tests listen."""
OTHERS = {
    "plivo": ({}, CLEAN),
    "exotel": ({}, CLEAN),
    "fonoster": ({}, CLEAN),
    "audiostream": ({}, Impairments(jitter_ms=20)),
    "vonage": ({}, CLEAN),
    "asterisk": ({"codec": "PCMA"}, CLEAN),
}


def test_every_peer_is_heard_and_the_party_that_turns_synthetic_is_the_one_that_alerts(tmp_path: Path) -> None:
    call = stereo(tmp_path / "call.wav")
    with serving(tmp_path, *ANYWHERE, *PATIENT) as monitor:
        to = address(monitor)
        with start_monitor("simulate", "twilio", call, "--to", to, *words(WIDE), cwd=tmp_path) as twilio:
            asyncio.run(play(call, to, {**HEAR_HISS, **OTHERS}))
            assert twilio.end() == 0
        for name in ("twilio-simulated", *(f"{peer}-{peer}" for peer in (*HEAR_HISS, *OTHERS))):
            monitor.wait_for(lambda line, name=name: '"call.ended"' in line and f'"{name}"' in line)
    assert twilio.lines[0].startswith("1 of 1 calls played to 127.0.0.1:")
    started = {e["call"]: e for e in select(monitor, "call.started")}
    ended = {e["call"]: e for e in select(monitor, "call.ended")}
    assert len(started) == len(ended) == 10
    for name in ("twilio-simulated", *(f"{peer}-{peer}" for peer in HEAR_HISS)):
        assert started[name]["channels"] == ["caller", "callee"]
        assert [e["channel"] for e in select(monitor, "alert.opened", name)] == ["callee"]
        assert ended[name]["channels"]["caller"]["net_speech_s"] > 6.0
    for name, call_ in ended.items():
        # A chunk that others overtook is given up after 0.1 s, which a busy machine may take to bring it.
        assert call_["lost_s"] <= (1.0 if name == "telnyx-telnyx" else 0.0)
        assert 8.5 < call_["duration_s"] < 20.0
        assert max(channel["net_speech_s"] for channel in call_["channels"].values()) > 6.0
    assert ended["twilio-simulated"]["why"] == "the vendor stopped the stream"
    assert ended["asterisk-asterisk"]["why"] == "the peer hung up"


def test_chunks_that_are_not_sent_are_lost_audio_and_more_calls_than_allowed_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    call = write_wav(tmp_path / "call.wav", voice(8.0))
    with serving(tmp_path, *ANYWHERE, *PATIENT, *settings("serve.max_calls=2")) as monitor:
        to = address(monitor)
        lossy = ("--calls", "2", "--loss", "0.05")
        with start_monitor("simulate", "twilio", call, "--to", to, *lossy, cwd=tmp_path) as two:
            monitor.wait_for(lambda line: '"call.started"' in line and "simulated-1" in line)
            refused = run_here(capfd, "simulate", "vonage", call, "--to", to)
            assert two.end() == 0
        monitor.wait_for(lambda line: '"call.ended"' in line and '"twilio-simulated"' in line)
        monitor.wait_for(lambda line: '"call.ended"' in line and '"twilio-simulated-1"' in line)
    assert refused.status == 2
    assert "the monitor refused: 1013 serve.max_calls = 2" in refused.err
    assert any(e["code"] == "refused" for e in select(monitor, "health"))
    lost = int(two.lines[0].split(",")[-1].split()[0])
    assert 10 <= lost <= 80
    ended = select(monitor, "call.ended")
    assert {e["call"] for e in ended} == {"twilio-simulated", "twilio-simulated-1"}
    # Lost at the very beginning or end nobody misses them.
    assert 0.019 * lost - 0.04 <= sum(e["lost_s"] for e in ended) <= 0.0201 * lost


def test_a_call_whose_connection_broke_comes_back_as_a_call_of_its_own(tmp_path: Path) -> None:
    """Once while the old connection hangs, as where a network fails, and once after it was reset."""
    call = write_wav(tmp_path / "call.wav", voice(3.0))
    with serving(tmp_path, *ANYWHERE, *PATIENT) as monitor:
        to = address(monitor)
        words = ("simulate", "audiofork", call, "--to", to, "--with", "call=it")
        with start_monitor(*words, cwd=tmp_path) as hanging:
            monitor.wait_for(lambda line: '"call.started"' in line)
            hanging.process.send_signal(signal.SIGSTOP)
            with start_monitor(*words, cwd=tmp_path) as back:
                monitor.wait_for(lambda line: '"call.started"' in line and '"audiofork-it~2"' in line)
                back.process.kill()
            monitor.wait_for(lambda line: '"call.ended"' in line and '"audiofork-it~2"' in line)
            with start_monitor(*words, cwd=tmp_path) as again:
                monitor.wait_for(lambda line: '"call.ended"' in line and '"audiofork-it~3"' in line)
                assert again.end() == 0
            assert "audiofork-it" not in {e["call"] for e in select(monitor, "call.ended")}
            hanging.process.kill()
        monitor.wait_for(lambda line: '"call.ended"' in line and '"audiofork-it"' in line)
    assert [e["call"] for e in select(monitor, "call.started")] == ["audiofork-it", "audiofork-it~2", "audiofork-it~3"]
    assert select(monitor, "call.started", "audiofork-it~3")[0]["details"]["earlier"] == "audiofork-it~2"
    ended = {e["call"]: e for e in select(monitor, "call.ended")}
    assert ended["audiofork-it~3"]["duration_s"] == pytest.approx(3.0, abs=0.2)
    assert ended["audiofork-it~3"]["lost_s"] == 0.0
    assert ended["audiofork-it~2"]["why"] == "the connection broke"
    assert not [e for e in select(monitor, "health") if e["code"] == "refused"]


def test_only_what_twilio_signed_is_taken(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call = write_wav(tmp_path / "call.wav", voice(0.5))
    proxied = settings(
        "taps.websocket.twilio_auth_token=t0ken",
        "taps.websocket.public_url=wss://calls.example.com",
        'taps.websocket.protocols=["twilio"]',
    )
    with serving(tmp_path, *ANYWHERE, *PATIENT, *proxied) as monitor:
        url = "url=wss://calls.example.com/twilio"
        for options, answer in [
            (("secret=t0ken", url), ""),
            (("secret=t0ken",), "the monitor refused: HTTP 403: wrong X-Twilio-Signature"),
            (("secret=other", url), "the monitor refused: HTTP 403: wrong X-Twilio-Signature"),
            ((), "the monitor refused: HTTP 403: no X-Twilio-Signature"),
        ]:
            given = [word for option in options for word in ("--with", option)]
            ran = run_here(capfd, "simulate", "twilio", call, "--to", address(monitor), *given)
            assert answer in ran.err
            assert ran.status == (2 if answer else 0)
        monitor.wait_for(lambda line: "no X-Twilio-Signature" in line)
    assert len(select(monitor, "call.started")) == 1


def test_over_tls_with_a_token(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    call = write_wav(tmp_path / "call.wav", voice(0.5))
    secured = settings(
        "taps.websocket.certificate=cert.pem",
        "taps.websocket.key=key.pem",
        "taps.websocket.token=t0ken",
        "taps.websocket.twilio_auth_token=t0ken",
        "taps.websocket.fonoster_secret=t0ken",
    )
    with serving(tmp_path, "--websocket", "0.0.0.0:0", *PATIENT, *secured) as monitor:
        to, trusting = f"wss://127.0.0.1:{address(monitor).rpartition(':')[2]}", ("--with", f"ca={tmp_path / 'ca.pem'}")
        for peer in ("signalwire", "telnyx", "audiostream", "twilio", "fonoster"):
            ran = run_here(capfd, "simulate", peer, call, "--to", to, *trusting, "--with", "secret=t0ken")
            assert ran.status == 0, ran
        unauthorized = run_here(capfd, "simulate", "telnyx", call, "--to", to, *trusting)
        untrusting = run_here(capfd, "simulate", "telnyx", call, "--to", to)
        plain = run_here(capfd, "simulate", "telnyx", call, "--to", to.replace("wss", "ws"))
    assert "HTTP 401: no token or password" in unauthorized.err
    assert "certificate" in untrusting.err
    assert "is it wss that it speaks?" in plain.err
    assert len(select(monitor, "call.started")) == 5


def start(call: str) -> str:
    return json.dumps({"event": "start", "sequenceNumber": "1", "start": {"callSid": call, "tracks": ["inbound"]}})


async def misbehave(to: str) -> None:
    """Peers of all bad kinds, one after the other; each gets what it deserves."""

    async def meets(messages: list[Any], code: int) -> None:
        async with connect(f"ws://{to}/twilio", proxy=None) as client:
            with suppress(ConnectionClosed):
                for message in messages:
                    await client.send(message)
            await client.wait_closed()
            assert client.close_code == code

    async with asyncio.timeout(60):
        await meets(["{"], 1007)
        await meets([start("a"), start("b")], 1008)
        await meets([start("c"), b"\x00" * 160], 1003)
        await meets([start("d"), "x" * 70_000], 1009)
        await meets([start("stalled")], 1008)


def test_peers_that_misbehave_cost_nothing_but_their_own_calls(tmp_path: Path) -> None:
    call = write_wav(tmp_path / "call.wav", voice(6.0))
    with serving(tmp_path, *ANYWHERE, *settings("serve.idle_s=5", "serve.ring_s=20")) as monitor:
        to = address(monitor)
        with start_monitor("simulate", "twilio", call, "--to", to, cwd=tmp_path) as good:
            monitor.wait_for(lambda line: '"call.started"' in line)
            asyncio.run(misbehave(to))
            assert good.end() == 0
        monitor.wait_for(lambda line: '"call.ended"' in line and "stalled" in line)
    ended = {e["call"]: e for e in select(monitor, "call.ended")}
    assert set(ended) == {"twilio-simulated", *(f"twilio-{name}" for name in ("a", "c", "d", "stalled"))}
    assert ended["twilio-simulated"]["why"] == "the vendor stopped the stream"
    assert ended["twilio-simulated"]["channels"]["caller"]["net_speech_s"] > 3.0
    assert ended["twilio-stalled"]["why"].startswith("nothing came for")
    result = " ".join(e["detail"] for e in select(monitor, "health"))
    for reason in ("text that is not JSON", "a second start", "bytes where text is due", "max_message_bytes"):
        assert reason in result


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--websocket", "8765"), "is not an address"),
        (("--websocket", "127.0.0.1:70000"), "is not an address"),
        (("--websocket", "192.0.2.77:8765", "--insecure"), "no address of this machine"),
        (("--websocket", "0.0.0.0:8765"), "nothing protects it"),
        (("--websocket", "127.0.0.1:0", *settings('taps.websocket.protocols=["nothing"]')), "there is no 'nothing'"),
        (
            ("--websocket", "127.0.0.1:0", *settings("taps.websocket.certificate=none", "taps.websocket.key=none")),
            "taps.websocket.certificate",
        ),
    ],
)
def test_what_cannot_be_listened_to_is_one_error(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_error(run_here(capsys, "serve", *words, "--no-publish"), says)
