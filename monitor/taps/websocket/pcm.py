"""One call over one connection: audio in messages of bytes, which a first message of text may describe. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from monitor.audio import Audio
from monitor.rtp.codecs import open_decoder
from monitor.rtp.payload import PayloadError, PayloadFormat
from monitor.taps.peer_names import named
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted, TapEvent
from monitor.taps.websocket.formats import LITTLE, decode_little
from monitor.taps.websocket.handler import POLICY, BadMessageError, SkippedMessage, Step, UpgradeRequest

PAUSE_S = 0.5
"""Bytes carry no time: where so much more of it has passed than audio came, the sender paused."""
REFUSED = "media that its codec can make nothing of"
USUAL_PARTIES = {1: ("party",), 2: ("caller", "callee")}


@dataclass(frozen=True)
class PcmDescription:
    """Description of the audio. channels: interleaved 16-bit samples. id: of the call, or "". known: its details."""

    form: PayloadFormat
    channels: int = 1
    id: str = ""
    known: Mapping[str, str] = field(default_factory=dict)


First = Callable[[str], PcmDescription | None]
"""Reads a message of text before any audio; None where it describes nothing. Raises BadMessageError."""


class Pcm:
    """unannounced: what audio is of which no text came before; None where that breaks the protocol.

    Names of the parties stand in the URL, or among the details, as parties=NAME,NAME.
    """

    def __init__(
        self, name: str, request: UpgradeRequest, first: First, unannounced: PcmDescription | None = None
    ) -> None:
        self._name, self._request, self._first, self._unannounced = name, request, first, unannounced
        self._described: PcmDescription | None = None
        self._call = ""
        self._begun, self._next = 0.0, 0

    def text(self, text: str, now: float) -> Iterator[Step]:
        """Process a text message. The first describes the call; later ones are digits and notes."""
        described = self._first(text) if self._described is None else None
        if described is not None:
            yield self._start(described, now)

    def binary(self, data: bytes, now: float) -> Iterator[Step]:
        """Take audio."""
        if self._described is None:
            if self._unannounced is None:
                raise BadMessageError("media before start", POLICY)
            yield self._start(self._unannounced, now)
        try:
            rows = self._decode(data)
        except PayloadError:
            yield SkippedMessage(REFUSED)
            return
        passed = round((now - self._begun) * self._rate)
        paused = passed - self._next - rows.shape[1] > PAUSE_S * self._rate
        if paused:
            self._next = passed - rows.shape[1]
        for channel, samples in enumerate(rows):
            yield CallAudio(self._call, channel, self._next, samples, quiet=paused)
        self._next += rows.shape[1]

    def tick(self, _now: float) -> Iterable[Step]:
        """Return nothing: nothing is held back."""
        return ()

    def refused(self, _reason: str) -> Iterable[Step]:
        """Return no message: these peers know the close code alone."""
        self._call = ""
        return ()

    def closed(self, why: str) -> Iterator[TapEvent]:
        """Process the end of the call."""
        if self._call:
            yield CallEnded(self._call, why)
        self._call = ""

    def _start(self, described: PcmDescription, now: float) -> CallStarted:
        self._described, self._begun, self._rate = described, now, described.form.sample_rate
        self._decode = _rows(described)
        self._call = f"{self._name}-{described.id or self._request.id}"
        facts = {**described.known, **self._request.query}
        direction = facts.get("direction", "")
        return CallStarted(
            self._call,
            self._name,
            _parties(facts.get("parties", ""), described.channels),
            self._rate,
            direction if direction in ("inbound", "outbound") else "",
            {**described.known, "peer": self._request.peer},
        )


def _rows(described: PcmDescription) -> Callable[[bytes], Audio]:
    """Return a decoder of messages to (channels, n)."""
    if described.form.encoding == LITTLE:
        return lambda data: decode_little(data, described.channels)
    mono = open_decoder(described.form)
    return lambda data: mono.decode(data)[None]


def _parties(names: str, channels: int) -> tuple[str, ...]:
    """Return the names of the parties: those given, or the usual ones."""
    found = tuple(named(name.strip()) for name in names.split(","))
    return found if all(found) and len(set(found)) == channels == len(found) else USUAL_PARTIES[channels]
