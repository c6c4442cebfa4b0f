"""A real Asterisk speaks to a running monitor in each way that it has, and a phone through it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import asterisk
import peers
import pytest
from helpers import Running, settings, start_monitor, voice, write_wav

from model.resample import resample_all
from monitor.types import SAMPLE_RATE

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.slow,
    pytest.mark.skipif(not asterisk.version(), reason="needs asterisk, or its packages below ASTERISK_ROOT"),
]
SPOKEN_S = 6.0


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """What the monitor said of one call of each kind, which began together."""
    folder = tmp_path_factory.mktemp("asterisk")
    speech = write_wav(folder / "speech.wav", resample_all(voice(SPOKEN_S), SAMPLE_RATE, 8000), 8000)
    sip, media, rtp, sockets, web = (peers.free_port() for _ in range(5))
    taps = [f"--rtp=127.0.0.1:{rtp}", f"--audiosocket=127.0.0.1:{sockets}", f"--websocket=127.0.0.1:{web}"]
    words = ["serve", *taps, "--json", "--no-publish", *settings("serve.ring_s=60")]
    command = asterisk.configure(folder / "etc", speech, sip, media, sockets, web)
    with start_monitor(*words, cwd=folder) as monitor, Running(command, folder) as running:
        monitor.wait_for(lambda line: '"listening"' in line)
        running.wait_for(lambda line: "Asterisk Ready" in line)
        end = "extension s@speak"
        uuids = asterisk.UUIDS
        asterisk.originate(
            folder / "etc", f"Local/s@speak application AudioSocket {uuids['application']},127.0.0.1:{sockets}"
        )
        asterisk.originate(folder / "etc", f"AudioSocket/127.0.0.1:{sockets}/{uuids['channel']}/c(slin16) {end}")
        asterisk.originate(folder / "etc", f"UnicastRTP/127.0.0.1:{rtp}/c(ulaw) {end}")
        asterisk.originate(folder / "etc", f"WebSocket/monitor/c(slin16)v(call=one,parties=caller) {end}")
        phoning = []
        if not peers.missing("baresip"):
            phoning = [Running(peers.baresip(folder / "phone", speech, sip, int(SPOKEN_S) + 2), folder)]
        until = time.monotonic() + 120
        while sum('"call.ended"' in line for line in monitor.lines) < 4 + len(phoning) and time.monotonic() < until:
            time.sleep(0.2)
        for phone in phoning:
            phone.kill()
        yield [json.loads(line) for line in list(monitor.lines)]


NAMES = {
    "application": f"audiosocket-{asterisk.UUIDS['application']}",
    "channel": f"audiosocket-{asterisk.UUIDS['channel']}",
    "rtp": "rtp-",
    "websocket": "asterisk-one",
    "phone": f"audiosocket-{asterisk.UUIDS['phone']}",
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_call_of_asterisk_is_heard_from_its_beginning_to_its_end(events: list[dict[str, Any]], kind: str) -> None:
    if kind == "phone" and peers.missing("baresip"):
        pytest.skip("needs baresip")
    mine = [event for event in events if event["call"].startswith(NAMES[kind])]
    assert [event["type"] for event in mine if event["type"].startswith("call.")] == ["call.started", "call.ended"]
    ended = mine[-1]
    assert ended["duration_s"] == pytest.approx(SPOKEN_S, abs=3.0)
    assert ended["lost_s"] < 0.5
    (channel,) = ended["channels"].values()
    assert channel["net_speech_s"] > SPOKEN_S / 2
