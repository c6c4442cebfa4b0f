"""The far end of Twilio Media Streams and its dialects."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from monitor.errors import BadInputError
from monitor.simulate.encoded_frames import EncodedFrames, Parties, read_rate
from monitor.simulate.simulated_peer import SimulatedCall, SimulationCounts, paced
from monitor.simulate.websocket import OPTIONS, USUAL, ConnectRequest, connected
from monitor.taps.websocket.dialects import DIALECTS, INBOUND, OUTBOUND, Dialect

ENCODINGS: Mapping[str, str] = {"PCMU": "audio/x-mulaw", "PCMA": "audio/x-alaw", "L16": "audio/x-l16"}


class MediaStreamPeer:
    """One party of a recording is the track inbound, the other outbound; mixed where a dialect has but one track."""

    def __init__(self, name: str) -> None:
        self._name, self._dialect = name, DIALECTS[name]
        linear = "mulaw" not in self._dialect.encoding and self._dialect.encoding != "PCMU"
        self._codec = "L16" if linear else "PCMU"
        self._prepared = EncodedFrames()
        self.to = f"{USUAL}/{name}"
        self.options: Mapping[str, str] = {
            "codec": f"PCMU, PCMA or L16 (default: {self._codec})",
            "rate": "Hz, of L16 (default: 8000)",
            "inbound": "name of the party that the vendor hears",
            "outbound": "name of the party that the vendor plays to it",
            "from": "number of who calls",
            "to": "number of who is called",
            "call": "id of the call; the second and later ones get a number (default: simulated)",
            **OPTIONS,
        }

    async def play(self, call: SimulatedCall, counts: SimulationCounts) -> None:
        """Play one call. Raises RefusedCallError, OSError, and BadInputError for options that make no sense."""
        if call.network.reorder and self._dialect.ordered:
            raise BadInputError(f"--reorder: {self._name} keeps the order", "only telnyx mixes it up")
        stream = CallMessages(self._name, self._dialect, call, call.options.get("codec", self._codec), self._prepared)
        plan = [
            (at, 2 * frame + party)
            for party in range(len(stream.tracks))
            for at, frame in call.departures(stream.frames, stream.dialect.chunk_ms / 1000, party)
        ]
        query = "?tracks=both" if len(stream.tracks) == 2 and self._name == "telnyx" else ""
        async with connected(call, ConnectRequest(self._name, f"/{self._name}{query}")) as connection:
            for message in stream.begins():
                await connection.send(json.dumps(message))
            async for number in paced(sorted(plan)):
                await connection.send(json.dumps(stream.media(*divmod(number, 2))))
                counts.sent += 1
            if self._dialect.stop:
                await connection.send(json.dumps(stream.stops()))
        counts.lost += stream.frames * len(stream.tracks) - len(plan)


class CallMessages:
    """The messages of one call."""

    def __init__(self, name: str, dialect: Dialect, call: SimulatedCall, codec: str, prepared: EncodedFrames) -> None:
        self.dialect, self._codec, self._options = dialect, codec, call.options
        self._rate = read_rate(call.options.get("rate", "8000")) if codec == "L16" else 8000
        parties: Parties = "apart" if dialect.both else "mixed"
        self._payloads = prepared.frames(call.audio, codec, self._rate, dialect.chunk_ms / 1000, parties)
        self.tracks = (INBOUND, OUTBOUND)[: len(self._payloads)]
        self.frames = len(self._payloads[0])
        id = call.options.get("call", "simulated") + (f"-{call.number}" if call.number else "")
        self._ids = {dialect.call: id, dialect.account: f"account-of-{name}"}
        self._stream = f"stream-{id}"
        self._sequence = 0

    def begins(self) -> list[dict[str, Any]]:
        """Return the messages before the media."""
        dialect = self.dialect
        encoding = self._codec if dialect.form == "media_format" and self._codec != "L16" else ENCODINGS[self._codec]
        custom = {
            key: self._options[key] for key in ("direction", "from", "to", INBOUND, OUTBOUND) if key in self._options
        }
        start: dict[str, Any] = {
            **self._ids,
            dialect.stream: self._stream,
            dialect.form: {"encoding": encoding, dialect.rate: self._rate, "channels": 1},
        }
        if dialect.form == "mediaFormat":
            start["tracks"] = list(self.tracks)
        apart: dict[str, Any] = {}
        if dialect.parameters_apart:
            apart = {dialect.parameters: ";".join(f"{key}={value}" for key, value in custom.items())}
        else:
            start[dialect.parameters] = custom
        first = [{"event": "connected", "protocol": "Call", "version": "1.0.0"}] if dialect.connected else []
        return [*first, {**self._message("start"), "start": start, **apart}]

    def media(self, frame: int, party: int) -> dict[str, Any]:
        """Return one chunk of one track."""
        inner = {
            "track": self.tracks[party],
            "chunk": self._number(frame + 1),
            "timestamp": self._number(frame * self.dialect.chunk_ms),
            "payload": base64.b64encode(self._payloads[party][frame]).decode(),
        }
        return {**self._message("media"), "media": inner}

    def stops(self) -> dict[str, Any]:
        """Return the last message."""
        return {**self._message("stop"), "stop": self._ids}

    def _message(self, event: str) -> dict[str, Any]:
        self._sequence += 1
        return {"event": event, self.dialect.sequence: self._number(self._sequence), self.dialect.stream: self._stream}

    def _number(self, value: int) -> str | int:
        return str(value) if self.dialect.numbers_are_text else value


twilio, telnyx, plivo, exotel, signalwire, fonoster = (
    partial(MediaStreamPeer, name) for name in ("twilio", "telnyx", "plivo", "exotel", "signalwire", "fonoster")
)
