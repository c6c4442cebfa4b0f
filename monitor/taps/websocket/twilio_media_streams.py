"""Twilio Media Streams and its dialects: JSON messages that start a call, carry its tracks and stop it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from monitor.config.taps import TapsSection
from monitor.rtp.payload import PayloadFormat
from monitor.taps.peer_names import named
from monitor.taps.tap_events import CallEnded, CallStarted, TapEvent
from monitor.taps.websocket.dialects import DIALECTS, INBOUND, OUTBOUND, Dialect
from monitor.taps.websocket.formats import read_format
from monitor.taps.websocket.handler import (
    POLICY,
    UNSUPPORTED,
    BadMessageError,
    Close,
    SkippedMessage,
    Step,
    UpgradeRequest,
)
from monitor.taps.websocket.signatures import check_fonoster, check_twilio
from monitor.taps.websocket.track import Track
from monitor.taps.websocket.untrusted_json import details, number, parameters, payload, read_object, within
from monitor.types import SAMPLE_RATE

UNANNOUNCED = "media of a track that was not announced: add ?tracks=both to the URL"
REFUSED = "media that its codec can make nothing of"
CALLER, CALLEE = "caller", "callee"


def open_stream(request: UpgradeRequest, config: TapsSection) -> MediaStreams:
    """Open a connection, in the dialect that its path names. Raises RefusedRequestError for a signature that is
    wrong."""
    name, section = request.path[0], config.websocket
    if name == "twilio" and section.twilio_auth_token:
        check_twilio(request, section.twilio_auth_token.reveal())
    if name == "fonoster" and section.fonoster_secret:
        check_fonoster(request, section.fonoster_secret.reveal())
    return MediaStreams(name, DIALECTS[name], request)


class MediaStreams:
    """One stream: the tracks of one call. name: of the dialect."""

    def __init__(self, name: str, dialect: Dialect, request: UpgradeRequest) -> None:
        self._name, self._dialect, self._request = name, dialect, request
        self._call = ""
        self._tracks: dict[str, Track] = {}

    def text(self, text: str, now: float) -> Iterator[Step]:
        """Process a message. Marks, digits, and what vendors will think of later are passed over."""
        message = read_object(text)
        event = message.get("event")
        if event == "start":
            yield from self._start(message)
        elif event == "media":
            yield from self._media(message, now)
        elif event == "stop" and self._call:
            yield from self.closed("the vendor stopped the stream")
            yield Close()

    def binary(self, _data: bytes, _now: float) -> Iterable[Step]:
        """Return None of the dialects has such messages."""
        raise BadMessageError("bytes where text is due", UNSUPPORTED)

    def tick(self, now: float) -> Iterator[Step]:
        """Return what is due by now."""
        for track in self._tracks.values():
            yield from track.tick(now)

    def refused(self, _reason: str) -> Iterable[Step]:
        """Return no message: the dialects know the close code alone."""
        self._call = ""
        return ()

    def closed(self, why: str) -> Iterator[TapEvent]:
        """Process the end of the stream."""
        if self._call:
            for track in self._tracks.values():
                yield from track.finish()
            yield CallEnded(self._call, why)
        self._call = ""

    def _start(self, message: Mapping[str, Any]) -> Iterator[Step]:
        if self._call or self._tracks:
            raise BadMessageError("a second start", POLICY)
        dialect, start = self._dialect, within(message, "start")
        custom = parameters((message if dialect.parameters_apart else start).get(dialect.parameters))
        form = self._format(within(start, dialect.form))
        id = named(start.get(dialect.call)) or named(start.get(dialect.stream)) or self._request.id
        self._call = f"{self._name}-{id}"
        direction = _direction(start.get("direction") or custom.get("direction"))
        tracks = self._announced(start.get("tracks"), custom)
        self._tracks = {
            track: Track(self._call, channel, form, ordered=dialect.ordered) for channel, track in enumerate(tracks)
        }
        parties = _parties(tracks, direction, {**custom, **self._request.query})
        known = self._known(message, start, custom)
        yield CallStarted(self._call, self._name, parties, SAMPLE_RATE, direction, known)

    def _format(self, form: Mapping[str, Any]) -> PayloadFormat:
        """Return the format in the start message, or the dialect's default."""
        encoding = form.get("encoding")
        said = isinstance(encoding, str) and encoding not in ("", "base64")
        channels = form.get("channels")
        return read_format(
            str(encoding) if said else self._dialect.encoding,
            number(form.get(self._dialect.rate)),
            None if channels is None else number(channels) or 0,
        )

    def _announced(self, tracks: object, custom: Mapping[str, str]) -> tuple[str, ...]:
        """Return the tracks of the call, inbound first: as start says, or the URL, or as the dialect usually has
        them."""
        wanted = self._request.query.get("tracks") or custom.get("tracks") or ""
        said = {"both": [INBOUND, OUTBOUND]}.get(wanted, [wanted] if wanted else tracks)
        names = {_track(name) for name in said[:8]} if isinstance(said, list) else set()
        return tuple(name for name in (INBOUND, OUTBOUND) if name in names) or self._dialect.tracks

    def _known(self, message: Mapping[str, Any], start: Mapping[str, Any], custom: Mapping[str, str]) -> dict[str, str]:
        """Return the details of the call; the custom parameters cannot put on the name of another."""
        dialect = self._dialect
        return {
            **custom,
            **details(
                {
                    "stream": message.get(dialect.stream) or start.get(dialect.stream),
                    "account": start.get(dialect.account),
                    "from": start.get("from") or custom.get("from"),
                    "to": start.get("to") or custom.get("to"),
                    "peer": self._request.peer,
                }
            ),
        }

    def _media(self, message: Mapping[str, Any], now: float) -> Iterator[Step]:
        if not self._call:
            raise BadMessageError("media before start", POLICY)
        media = within(message, "media")
        track = self._tracks.get(_track(media.get("track", next(iter(self._tracks)))))
        if track is None:
            yield SkippedMessage(UNANNOUNCED)
            return
        chunk = number(media.get("chunk"))
        chunk = number(message.get(self._dialect.sequence)) if chunk is None else chunk
        before = track.refused
        yield from track.chunk(chunk, number(media.get("timestamp")), payload(media.get("payload")), now)
        if track.refused > before:
            yield SkippedMessage(REFUSED)


def _track(name: object) -> str:
    return name.removesuffix("_track") if isinstance(name, str) else ""


def _direction(said: object) -> str:
    return next((way for way in (INBOUND, OUTBOUND) if isinstance(said, str) and said.startswith(way)), "")


def _parties(tracks: tuple[str, ...], direction: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Name the parties. Inbound is what the vendor hears from the telephone: of the caller, or of the callee where the
    call went out. Parameters inbound=NAME and outbound=NAME say it better.
    """
    spoken, played = (CALLEE, CALLER) if direction == OUTBOUND else (CALLER, CALLEE)
    found = tuple(named(names.get(t)) or {INBOUND: spoken, OUTBOUND: played}[t] for t in tracks)
    return found if len(set(found)) == len(found) else tracks
