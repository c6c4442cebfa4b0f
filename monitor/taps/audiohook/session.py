"""One AudioHook session, from the server's side: what comes in, what is answered, and what it means for the call.

Audio stands on the client's clock, which goes on through pauses and through what the client discards. States, messages
and answers are those of the protocol's version 2 (https://developer.genesys.cloud/devapps/audiohook).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import ClassVar

import numpy as np

from monitor.audio import Audio
from monitor.rtp.codecs import open_decoder
from monitor.rtp.payload import STATIC
from monitor.taps.audiohook.audiohook_messages import (
    CLOSE_REASONS,
    ERROR_CODES,
    NOBODY,
    RATE,
    RATE_LIMITED,
    VERSION,
    AudiohookMedia,
    AudiohookMessage,
    ProtocolError,
    call_details,
    choose,
    parse_message,
    read_duration,
    read_uuid,
)
from monitor.taps.audiohook.signature import SignedSender
from monitor.taps.tap_events import CallAudio, CallEnded, CallPaused, CallResumed, CallStarted, TapEvent
from monitor.taps.websocket.handler import BadMessageError, Close, Send, SkippedMessage, Step

NAME = "audiohook"
NEVER_CAME = RATE // 4
"""Samples; a position so far ahead of the audio that came is audio that was lost. Frames are of 0.2 s at most."""
NOTHING: Audio = np.zeros(0, np.float32)


class SessionStage(StrEnum):
    """Stages of a session."""

    WAITING = "before open"
    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


class AudiohookSession:
    """A handler (monitor/taps/websocket/handler.py). signed: whom the signature of the request names."""

    def __init__(self, signed: SignedSender) -> None:
        self._signed = signed
        self._stage = SessionStage.WAITING
        self._seq = self._clientseq = 0
        self._media = AudiohookMedia(())
        self._call = ""
        """Its name; "" before it began, after it has ended, and in a probe."""
        self._origin = 0
        """Position at which the client's audio begins."""
        self._clock = 0
        """Samples of each channel since then: heard, paused over, or lost."""
        self._decoder = open_decoder(STATIC[0])

    def text(self, text: str, now: float) -> Iterator[Step]:
        """Process a message of JSON."""
        del now
        try:
            message = self._envelope(parse_message(text))
            yield from self._handle(message)
        except ProtocolError as error:
            yield from self._fail(error)

    def binary(self, data: bytes, now: float) -> Iterator[Step]:
        """Yield audio: PCMU, channels interleaved."""
        del now
        try:
            yield from self._audio(data)
        except ProtocolError as error:
            yield from self._fail(error)

    def tick(self, now: float) -> Iterator[Step]:
        """Return nothing: nothing is due."""
        del now
        return iter(())

    def refused(self, reason: str) -> Iterator[Step]:
        """Answer that the call is not taken."""
        self._call = ""
        yield self._message("disconnect", reason="error", info=f"refused: {reason}")

    def closed(self, why: str) -> Iterator[TapEvent]:
        """End the call: its connection has ended."""
        yield from self._end(why)

    def _fail(self, error: ProtocolError) -> Iterator[Step]:
        """Tell a client what it did wrong; then its connection ends. Raises BadMessageError."""
        reason = "unauthorized" if error.unauthorized else "error"
        yield self._message("disconnect", reason=reason, info=error.reason)
        raise BadMessageError(f"{NAME}: {error.reason}") from error

    def _message(self, kind: str, **parameters: object) -> Send:
        self._seq += 1
        envelope = {"version": VERSION, "type": kind, "seq": self._seq, "clientseq": self._clientseq}
        return Send(json.dumps({**envelope, "id": self._signed.session, "parameters": parameters}))

    def _envelope(self, message: AudiohookMessage) -> AudiohookMessage:
        """Return a message in its turn. Raises ProtocolError."""
        if message.id != self._signed.session.lower():
            raise ProtocolError("a message of another session than the request's", unauthorized=True)
        if message.seq != self._clientseq + 1:
            raise ProtocolError("a seq that does not follow the last one")
        if message.serverseq > self._seq:
            raise ProtocolError("a serverseq that was never sent")
        self._clientseq = message.seq
        return message

    def _handle(self, message: AudiohookMessage) -> Iterator[Step]:
        handle = self._HANDLERS.get(message.type)
        if handle is None:
            raise ProtocolError("a message of a type that version 2 does not have")
        if self._stage is SessionStage.CLOSED:
            return
        if self._stage is SessionStage.OPEN and message.type not in ("resumed", "discarded"):
            yield from self._catch_up(message.position - self._origin)
        yield from handle(self, message)

    def _open(self, message: AudiohookMessage) -> Iterator[Step]:
        if self._stage is not SessionStage.WAITING:
            raise ProtocolError("a second open")
        parameters = message.parameters
        if read_uuid(parameters.get("organizationId"), "organizationId") != self._signed.organization.lower():
            raise ProtocolError("an open of another organization than the request's", unauthorized=True)
        conversation = read_uuid(parameters.get("conversationId"), "conversationId")
        self._media = choose(parameters.get("media"))
        self._origin = message.position
        if conversation != NOBODY:
            self._call = f"{NAME}-{conversation}-{self._signed.session.lower()[:8]}"
            details = call_details(parameters, self._signed.session, self._signed.correlation)
            yield CallStarted(self._call, NAME, self._media.channels, RATE, "", details)
            # The client's clock begins here, whenever the first of its audio comes.
            yield from self._nothing_until(0)
        self._stage = SessionStage.OPEN
        yield self._message("opened", startPaused=False, media=[self._media.offer()])

    def _audio(self, data: bytes) -> Iterator[Step]:
        if self._stage is SessionStage.CLOSED:
            return
        if self._stage is not SessionStage.OPEN:
            raise ProtocolError(f"audio {'while paused' if self._stage is SessionStage.PAUSED else 'before open'}")
        if len(data) % len(self._media.channels):
            raise ProtocolError("audio that is not as long on every channel")
        if not self._call:
            return
        samples = self._decoder.decode(data).reshape(-1, len(self._media.channels))
        for channel in range(samples.shape[1]):
            yield CallAudio(self._call, channel, self._clock, np.ascontiguousarray(samples[:, channel]))
        self._clock += len(samples)

    def _ping(self, message: AudiohookMessage) -> Iterator[Step]:
        """Answer a ping. In a pause, which may be as long as the call, pings show that the client is there."""
        del message
        if self._stage is SessionStage.PAUSED:
            yield from self._nothing_until(self._clock)
        yield self._message("pong")

    def _pause(self, message: AudiohookMessage) -> Iterator[Step]:
        del message
        if self._stage is SessionStage.OPEN:
            self._stage = SessionStage.PAUSED
            if self._call:
                yield CallPaused(self._call, "the client holds its audio back")

    def _resume(self, message: AudiohookMessage) -> Iterator[Step]:
        """Go on behind a pause. start, discarded: where it began, and how long it was."""
        until = self._until(message)
        if self._stage is SessionStage.PAUSED:
            self._stage = SessionStage.OPEN
            if self._call:
                yield CallResumed(self._call)
            yield from self._advance(until, quiet=True)

    def _discard(self, message: AudiohookMessage) -> Iterator[Step]:
        """Count audio as lost. start, discarded: of what the client has and does not send."""
        until = self._until(message)
        if self._stage is SessionStage.OPEN:
            yield from self._advance(until)

    def _until(self, message: AudiohookMessage) -> int:
        """Return the end of what a message says was discarded, on our clock."""
        start = read_duration(message.parameters.get("start"), "start") - self._origin
        return start + read_duration(message.parameters.get("discarded"), "discarded")

    def _catch_up(self, position: int) -> Iterator[Step]:
        """Take a position beyond the audio that came."""
        if position - self._clock > NEVER_CAME:
            yield SkippedMessage(f"{NAME}: audio that never came, by the client's position")
            yield from self._advance(position)

    def _advance(self, until: int, *, quiet: bool = False) -> Iterator[Step]:
        """Move the clock on without audio: lost, or in a pause."""
        if until > self._clock:
            yield from self._nothing_until(until, quiet=quiet)

    def _nothing_until(self, clock: int, *, quiet: bool = False) -> Iterator[Step]:
        self._clock = clock
        for channel in range(len(self._media.channels) if self._call else 0):
            yield CallAudio(self._call, channel, clock, NOTHING, quiet)

    def _update(self, message: AudiohookMessage) -> Iterator[Step]:
        """Ignore a change of the conversation's language."""
        del message
        return iter(())

    def _error(self, message: AudiohookMessage) -> Iterator[Step]:
        """Note an error that the client reports; if it cannot go on, it closes."""
        code = message.parameters.get("code")
        known = str(code) if code in ERROR_CODES else "of a code that version 2 does not have"
        yield SkippedMessage(f"{NAME}: the client says error {known}" + ", too many messages" * (code == RATE_LIMITED))

    def _close(self, message: AudiohookMessage) -> Iterator[Step]:
        reason = message.parameters.get("reason")
        yield from self._end(CLOSE_REASONS.get(reason, "closed") if isinstance(reason, str) else "closed")
        self._stage = SessionStage.CLOSED
        yield self._message("closed")
        yield Close()

    def _end(self, why: str) -> Iterator[TapEvent]:
        if self._call:
            call, self._call = self._call, ""
            yield CallEnded(call, why)

    _HANDLERS: ClassVar[Mapping[str, Callable[[AudiohookSession, AudiohookMessage], Iterator[Step]]]] = {
        "open": _open,
        "ping": _ping,
        "paused": _pause,
        "resumed": _resume,
        "discarded": _discard,
        "update": _update,
        "error": _error,
        "close": _close,
    }
