"""The simulated client of AudioHook against the session of the server, without sockets: right and wrong answers."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection

from monitor.simulate.audiohook import FRAME, _Session, coded, read_options
from monitor.simulate.audiohook_client_messages import SessionMessages, WrongAnswerError
from monitor.simulate.plan import Impairments
from monitor.simulate.simulated_peer import RefusedCallError, SimulatedCall, SimulationCounts
from monitor.taps.audiohook.session import AudiohookSession
from monitor.taps.audiohook.signature import SignedSender
from monitor.taps.tap_events import CallAudio, CallEnded, CallPaused, CallResumed, TapEvent
from monitor.taps.websocket.handler import Close, Send
from monitor.types import SAMPLE_RATE

pytestmark = pytest.mark.realtime

ORGANIZATION = "12345678-9abc-4def-8123-456789abcdef"
OPTIONS = {"key": "k", "secret": "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU="}
Tamper = Callable[[dict[str, Any]], object]


class Wire:
    """The connection of a client whose other end is a session. heard: what that told of the call."""

    def __init__(self, session: str, tamper: Tamper = lambda _: None) -> None:
        self.heard: list[TapEvent] = []
        self._server = AudiohookSession(SignedSender(ORGANIZATION, session, "c"))
        self._tamper = tamper
        self._answers: deque[str] = deque()

    async def send(self, data: str | bytes) -> None:
        steps = self._server.text(data, 0.0) if isinstance(data, str) else self._server.binary(data, 0.0)
        for step in steps:
            if isinstance(step, Send):
                message = json.loads(step.data)
                self._tamper(message)
                self._answers.append(json.dumps(message))
            elif not isinstance(step, Close):
                self.heard.append(cast(TapEvent, step))

    async def recv(self) -> str:
        return self._answers.popleft()


def play(
    seconds: float, tamper: Tamper = lambda _: None, loss: float = 0.0, **options: str
) -> tuple[Wire, SimulationCounts]:
    audio = np.full((2, round(seconds * SAMPLE_RATE)), 0.1, np.float32)
    call = SimulatedCall(0, audio, "ws://127.0.0.1:1", Impairments(loss), OPTIONS | options)
    messages, counts = SessionMessages(), SimulationCounts()
    wire = Wire(messages.id, tamper)
    session = _Session(cast(ClientConnection, wire), messages, counts, [coded(party) for party in audio])
    asyncio.run(session.run(call, read_options(call.options), ORGANIZATION))
    return wire, counts


def spans(wire: Wire, channel: int = 0) -> list[tuple[int, int, bool]]:
    """Start and length in frames, and whether it was quiet before."""
    found = [x for x in wire.heard if isinstance(x, CallAudio) and x.channel == channel]
    return [(x.start // FRAME, len(x.samples) // FRAME, x.quiet) for x in found[1:]]


def test_a_call_in_order() -> None:
    wire, counts = play(0.6)
    assert spans(wire) == spans(wire, 1) == [(0, 1, False), (1, 1, False), (2, 1, False)]
    assert isinstance(wire.heard[-1], CallEnded)
    assert (counts.sent, counts.lost) == (3, 0)


def test_a_pause_and_what_is_discarded_stand_where_they_were() -> None:
    wire, _ = play(1.2, pause="0.2+0.4", discard="0.8+0.2")
    assert spans(wire) == [(0, 1, False), (3, 0, True), (3, 1, False), (5, 0, False), (5, 1, False)]
    assert [type(x) for x in wire.heard if isinstance(x, CallPaused | CallResumed)] == [CallPaused, CallResumed]


def test_what_the_network_loses_is_discarded() -> None:
    wire, counts = play(0.6, loss=1.0)
    assert spans(wire) == [(3, 0, False)]
    assert (counts.sent, counts.lost) == (0, 3)


def test_a_probe_sends_no_audio() -> None:
    wire, _ = play(0.6, probe="yes")
    assert wire.heard == []


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (lambda m: m.update(seq=7), "'seq': 7"),
        (lambda m: m.update(version="1"), "'version': '1'"),
        (lambda m: m.update(id=ORGANIZATION), "opened with"),
        (lambda m: m.update(clientseq=9), "opened to message 9"),
        (lambda m: m.update(type="pong"), "pong to message 1, where"),
        (lambda m: m.pop("parameters"), "no message of version 2"),
        (lambda m: m["parameters"].update(media=[]), "media that were not offered"),
        (lambda m: m["parameters"].update(media=m["parameters"].get("media", []) * 2), "media that were not offered"),
    ],
)
def test_a_wrong_answer_is_a_fault(tamper: Tamper, says: str) -> None:
    with pytest.raises(WrongAnswerError, match=says):
        play(0.2, tamper)


def test_a_disconnect_is_a_refusal() -> None:
    with pytest.raises(RefusedCallError, match="error, full"):
        play(0.2, lambda m: m.update(type="disconnect", parameters={"reason": "error", "info": "full"}))


def test_bytes_are_no_answer() -> None:
    with pytest.raises(WrongAnswerError, match="no message"):
        SessionMessages().receive(b"\x00")
