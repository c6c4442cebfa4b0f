"""What the simulators of the WebSocket taps send, against the table of G.711 and the handlers themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers import voice

from model.resample import resample_all
from monitor.errors import BadInputError
from monitor.rtp.codecs import open_decoder
from monitor.rtp.encode import companded
from monitor.rtp.payload import PayloadFormat
from monitor.simulate.encoded_frames import EncodedFrames, linear
from monitor.simulate.plan import Impairments
from monitor.simulate.registry import PEERS, make_peer
from monitor.simulate.simulated_peer import SimulatedCall
from monitor.simulate.twilio_media_streams import CallMessages, MediaStreamPeer
from monitor.simulate.websocket import address, credentials
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted
from monitor.taps.websocket.dialects import DIALECTS
from monitor.taps.websocket.handler import Step, UpgradeRequest
from monitor.taps.websocket.registry import PROTOCOLS
from monitor.taps.websocket.twilio_media_streams import MediaStreams

pytestmark = pytest.mark.realtime


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA"])
def test_each_code_of_g711_is_encoded_as_itself_and_loud_samples_are_clipped(encoding: str) -> None:
    levels = open_decoder(PayloadFormat(encoding, 8000)).decode(bytes(range(256)))
    decoded = open_decoder(PayloadFormat(encoding, 8000)).decode(companded(encoding)(levels))
    assert decoded == pytest.approx(levels)
    loud = open_decoder(PayloadFormat(encoding, 8000)).decode(companded(encoding)(np.array([-2.0, 2.0], np.float32)))
    assert loud == pytest.approx([levels.min(), levels.max()])


def test_linear_samples_are_little_endian_and_clipped() -> None:
    assert linear(np.array([0.0, 2.0, -2.0, 1 / 32768], np.float32)) == b"\x00\x00\xff\x7f\x00\x80\x01\x00"
    assert linear(np.array([[0.0, -1.0], [0.0, -1.0]], np.float32)) == b"\x00\x00\x00\x80" * 2


def test_the_calls_of_a_run_share_what_they_play() -> None:
    prepared, audio = EncodedFrames(), np.stack([voice(0.5), voice(0.5, seed=2)])
    frames = prepared.frames(audio, "PCMU", 8000, 0.02, "apart")
    assert [len(party) for party in frames] == [25, 25]
    assert prepared.frames(audio, "PCMU", 8000, 0.02, "apart") is frames
    (mixed,) = prepared.frames(audio, "L16", 16_000, 0.02, "mixed")
    assert {len(frame) for frame in mixed} == {640}
    (both,) = EncodedFrames().frames(audio, "L16", 8000, 0.02, "interleaved")
    assert {len(frame) for frame in both} == {640}


def test_every_protocol_has_its_simulator() -> None:
    for name in set(PROTOCOLS) & set(PEERS):
        assert make_peer(name).to == f"ws://127.0.0.1:8765/{name}"
    assert set(DIALECTS) < set(PEERS)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "L16"])
def test_a_handler_hears_what_a_simulator_of_its_dialect_plays(name: str, codec: str) -> None:
    audio = np.stack([voice(1.0), voice(1.0, seed=5)])
    options = {"direction": "outbound", "call": "ab", "rate": "16000"}
    stream = CallMessages(
        name, DIALECTS[name], SimulatedCall(3, audio, "", Impairments(), options), codec, EncodedFrames()
    )
    handler = MediaStreams(
        name, DIALECTS[name], UpgradeRequest(f"/{name}?tracks=both" if name == "telnyx" else f"/{name}")
    )
    messages = [
        *stream.begins(),
        *(stream.media(n, p) for n in range(stream.frames) for p in range(len(stream.tracks))),
    ]
    steps: list[Step] = []
    for number, message in enumerate([*messages, stream.stops()]):
        steps += handler.text(json.dumps(message), number * 0.01)
    (started,) = [step for step in steps if isinstance(step, CallStarted)]
    assert started.call == f"{name}-ab-3"
    assert started.direction == "outbound"
    assert started.parties == (("callee", "caller") if DIALECTS[name].both else ("callee",))
    assert any(isinstance(step, CallEnded) for step in steps)
    sent = audio if DIALECTS[name].both else audio.mean(0)[None]
    for channel, row in enumerate(sent):
        heard = np.concatenate([s.samples for s in steps if isinstance(s, CallAudio) and s.channel == channel])
        assert not np.isnan(heard).any()
        narrow = row if codec == "L16" else resample_all(resample_all(row, 16_000, 8000), 8000, 16_000)
        assert len(heard) == pytest.approx(len(narrow), abs=640)
        assert np.abs(heard[2000:12_000] - narrow[2000:12_000]).max() < 0.03


@pytest.mark.parametrize(
    ("to", "url"),
    [
        ("127.0.0.1:8765", "ws://127.0.0.1:8765/telnyx?tracks=both"),
        ("wss://a.example", "wss://a.example/telnyx?tracks=both"),
        ("ws://a.example:1/", "ws://a.example:1/telnyx?tracks=both"),
        ("ws://a.example/path/token", "ws://a.example/path/token?tracks=both"),
        ("ws://a.example/path?a=1", "ws://a.example/path?a=1&tracks=both"),
    ],
)
def test_where_a_simulator_dials(to: str, url: str) -> None:
    assert address(to, "/telnyx?tracks=both") == url


@pytest.mark.parametrize("to", ["", "http://a.example", "ws://", "tcp://127.0.0.1:1"])
def test_an_address_of_another_kind(to: str) -> None:
    with pytest.raises(BadInputError, match="not a WebSocket address"):
        address(to, "/telnyx")


def test_what_each_vendor_shows() -> None:
    assert credentials("telnyx", "ws://a/telnyx", {"secret": "s"}) == {"x-telnyx-streaming-auth-token": "s"}
    assert credentials("vonage", "ws://a/vonage", {"secret": "s"}) == {"Authorization": "Bearer s"}
    assert credentials("vonage", "ws://a/vonage", {"basic": "user:pass"}) == {"Authorization": "Basic dXNlcjpwYXNz"}
    assert credentials("vonage", "ws://a/vonage", {}) == {}
    assert set(credentials("twilio", "ws://a/twilio", {"secret": "s"})) == {"x-twilio-signature"}
    assert set(credentials("fonoster", "ws://a", {"secret": "s"})) == {"x-fonoster-signature", "x-fonoster-timestamp"}


def test_the_codec_that_a_vendor_usually_sends() -> None:
    defaults = {name: MediaStreamPeer(name).options["codec"].rpartition(" ")[2] for name in DIALECTS}
    assert {name for name, codec in defaults.items() if codec == "L16)"} == {"plivo", "exotel"}
