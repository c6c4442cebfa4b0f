"""A client of AudioHook, and its messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from monitor.taps.audiohook.audiohook_messages import RATE
from monitor.taps.audiohook.session import AudiohookSession
from monitor.taps.audiohook.signature import SignedSender
from monitor.taps.websocket.handler import Send, Step

ORGANIZATION, SESSION, CONVERSATION = (f"{n}2345678-9abc-4def-8123-456789abcdef" for n in (1, 2, 3))
PARTICIPANT = {"id": ORGANIZATION, "ani": "+15550100", "aniName": "Ann\x1b[2J \ud800", "dnis": "+15550199"}
BOTH, EXTERNAL, INTERNAL = ["external", "internal"], ["external"], ["internal"]


def offer(channels: list[str], **changes: object) -> dict[str, object]:
    return {"type": "audio", "format": "PCMU", "channels": channels, "rate": 8000} | changes


def opening(**changes: object) -> dict[str, object]:
    return {
        "organizationId": ORGANIZATION,
        "conversationId": CONVERSATION,
        "participant": PARTICIPANT,
        "media": [offer(BOTH), offer(EXTERNAL), offer(INTERNAL)],
        "language": "en-US",
    } | changes


def gap(start: float, discarded: float) -> dict[str, object]:
    return {"start": f"PT{start}S", "discarded": f"PT{discarded}S"}


class Client:
    """Numbers its messages as a client does. told: every answer, as JSON."""

    def __init__(self) -> None:
        self.session = AudiohookSession(SignedSender(ORGANIZATION, SESSION, "correlation"))
        self.seq = self.serverseq = 0
        self.at = 0.0
        self.told: list[dict[str, Any]] = []

    def say(self, kind: str, parameters: object = None, **envelope: object) -> list[Step]:
        message = {"version": "2", "id": SESSION, "type": kind, "seq": self.seq + 1, "serverseq": self.serverseq}
        message |= {"position": f"PT{self.at}S", "parameters": {} if parameters is None else parameters}
        return self.raw(json.dumps(message | envelope))

    def raw(self, text: str) -> list[Step]:
        self.seq += 1
        return self._heard(self.session.text(text, 0.0))

    def send(self, seconds: float, channels: int = 2) -> list[Step]:
        self.at += seconds
        return self._heard(self.session.binary(bytes(round(seconds * RATE) * channels), 0.0))

    def opened(self, **changes: object) -> Client:
        self.say("open", opening(**changes))
        assert self.told[-1]["type"] == "opened"
        return self

    def _heard(self, steps: Iterable[Step]) -> list[Step]:
        out = []
        for step in steps:
            out.append(step)
            if isinstance(step, Send):
                self.told.append(json.loads(step.data))
                self.serverseq += 1
                assert self.told[-1]["seq"] == self.serverseq
                assert self.told[-1]["clientseq"] <= self.seq
                assert (self.told[-1]["version"], self.told[-1]["id"]) == ("2", SESSION)
        return out


def first_message(**changes: object) -> str:
    message = {"version": "2", "id": SESSION, "type": "open", "seq": 1, "serverseq": 0, "position": "PT0S"}
    return json.dumps(message | {"parameters": opening()} | changes)
