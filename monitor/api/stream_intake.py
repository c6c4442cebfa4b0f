"""Audio that programs push: what a request describes, and how its messages become the audio of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from monitor.audio import Audio
from monitor.rtp.codecs import open_decoder
from monitor.rtp.payload import PayloadError
from monitor.taps.peer_names import LONGEST_NAME, named
from monitor.taps.tap_events import CallAudio, CallStarted, Deliver
from monitor.taps.websocket.formats import HIGHEST_RATE, LITTLE, LOWEST_RATE, decode_little, read_format
from monitor.taps.websocket.handler import BadMessageError

TAP = "api"
PARTIES = {1: ("party",), 2: ("caller", "callee")}
ENCODINGS = {"pcm_s16le": "pcm_s16le", "mulaw": "mulaw", "alaw": "alaw"}
PIECE_S = 0.2
"""Audio that is handed on at once."""


class BadStreamError(Exception):
    """A request or a message that cannot be taken; the text says why."""


@dataclass(frozen=True)
class StreamIntake:
    """deliver: takes tap events. name_of: the name in events of a call by the tap's own id. most: streams at once."""

    deliver: Deliver
    name_of: Callable[[str], str]
    idle_s: float
    most: int


@dataclass(frozen=True)
class PushedAudio:
    """The description of audio in a request. call: the name that it wants, or ""."""

    rate: int
    encoding: str
    channels: int
    call: str
    details: Mapping[str, str]

    @classmethod
    def read(cls, query: Mapping[str, str]) -> PushedAudio:
        """Read the query of a request. Raises BadStreamError."""
        unknown = sorted(set(query) - {"rate", "encoding", "channels", "call", "from", "to"})
        if unknown:
            raise BadStreamError(f"{named(unknown[0])}: there is no such parameter")
        rate, encoding = query.get("rate", "16000"), query.get("encoding", "pcm_s16le")
        if not (rate.isascii() and rate.isdigit() and len(rate) < 6 and LOWEST_RATE <= int(rate) <= HIGHEST_RATE):
            raise BadStreamError(f"rate: Hz, from {LOWEST_RATE} to {HIGHEST_RATE}")
        if encoding not in ENCODINGS:
            raise BadStreamError(f"encoding: one of {', '.join(ENCODINGS)}")
        channels = query.get("channels", "1")
        if channels not in ("1", "2") or (channels == "2" and encoding != "pcm_s16le"):
            raise BadStreamError("channels: 1, or 2 of pcm_s16le")
        if any(len(query.get(key, "")) > LONGEST_NAME for key in ("call", "from", "to")):
            raise BadStreamError(f"call, from, to: at most {LONGEST_NAME} characters")
        details = {key: named(query[key]) for key in ("from", "to") if query.get(key)}
        return cls(int(rate), encoding, int(channels), named(query.get("call", "")), details)

    def started(self, identity: str, peer: str) -> CallStarted:
        """Return the beginning of its call."""
        details, parties = {**self.details, "peer": peer}, PARTIES[self.channels]
        return CallStarted(identity, TAP, parties, self.rate, "", details, peer, self.call or identity)


class PushedCall:
    """Turns messages into audio. The clock of the call is that of its samples: a program that pauses loses nothing."""

    def __init__(self, identity: str, audio: PushedAudio) -> None:
        self._identity, self._audio, self._next = identity, audio, 0
        form = read_format(ENCODINGS[audio.encoding], audio.rate)
        self._mono = None if form.encoding == LITTLE else open_decoder(form)

    def pieces(self, data: bytes) -> Iterator[tuple[float, list[CallAudio]]]:
        """Yield the audio of a message in pieces, each with its length in seconds. Raises BadStreamError."""
        rows = self._decoded(data)
        step = round(PIECE_S * self._audio.rate)
        for at in range(0, rows.shape[1], step):
            piece = rows[:, at : at + step]
            events = [CallAudio(self._identity, i, self._next, row) for i, row in enumerate(piece)]
            self._next += piece.shape[1]
            yield piece.shape[1] / self._audio.rate, events

    def _decoded(self, data: bytes) -> Audio:
        """Return float32 (channels, n)."""
        try:
            if self._mono is None:
                return decode_little(data, self._audio.channels)
            return self._mono.decode(data)[None]
        except (BadMessageError, PayloadError) as error:
            raise BadStreamError(str(error) or "audio that cannot be decoded") from error
