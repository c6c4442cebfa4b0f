"""The messages of a client of AudioHook, and the check of the answers to them. Pure but for its id."""

from __future__ import annotations

import json
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.simulate.simulated_peer import RefusedCallError
from monitor.taps.audiohook.audiohook_messages import VERSION, write_duration


class WrongAnswerError(Exception):
    """The monitor answered what the protocol does not allow; the text says what."""


@dataclass
class SessionMessages:
    """The messages of one session: numbers them, and checks the answers."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seq: int = 0
    serverseq: int = 0
    asked: deque[tuple[str, int]] = field(default_factory=deque)
    """Type and clientseq of the answers that are due, in their order."""

    def message(self, kind: str, position: int, parameters: Mapping[str, object], answer: str = "") -> str:
        """Write the next message of the client. position: samples at RATE. answer: the type of message that has to
        come.
        """
        self.seq += 1
        if answer:
            self.asked.append((answer, self.seq))
        envelope = {"version": VERSION, "type": kind, "id": self.id, "seq": self.seq, "serverseq": self.serverseq}
        return json.dumps({**envelope, "position": write_duration(position), "parameters": parameters})

    def receive(self, text: str | bytes) -> tuple[str, Mapping[str, Any]]:
        """Return type and parameters of an answer. Raises WrongAnswerError, and RefusedCallError for a disconnect."""
        self.serverseq += 1
        right = {"version": VERSION, "id": self.id, "seq": self.serverseq}
        try:
            message = json.loads(text) if isinstance(text, str) else {}
            found = {name: message[name] for name in right}
            kind, parameters, clientseq = str(message["type"]), dict(message["parameters"]), int(message["clientseq"])
        except (ValueError, KeyError, TypeError) as error:
            raise WrongAnswerError("no message of version 2") from error
        if found != right:
            raise WrongAnswerError(f"{kind} with {found}, not {right}")
        if kind == "disconnect":
            raise RefusedCallError(f"{parameters.get('reason')}, {parameters.get('info', '')}")
        if not self.asked or (kind, clientseq) != self.asked[0]:
            raise WrongAnswerError(f"{kind} to message {clientseq}, where {list(self.asked)} are due")
        self.asked.popleft()
        return kind, parameters
