"""The first messages of FreeSWITCH, Vonage and Asterisk, which describe a stream of bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from monitor.config.taps import TapsSection
from monitor.taps.peer_names import named
from monitor.taps.websocket.formats import read_format
from monitor.taps.websocket.handler import POLICY, BadMessageError, RefusedRequestError, UpgradeRequest
from monitor.taps.websocket.pcm import Pcm, PcmDescription
from monitor.taps.websocket.untrusted_json import details, number, read_object

IDS = ("call_id", "callId", "callid", "call-id", "call_uuid", "callSid", "uuid", "conversation_uuid")
"""Where people put the id of the call when they write the metadata themselves."""
SLIN = "slin"
"""16-bit samples in the byte order of the machine: little-endian wherever Asterisk is run nowadays."""
MOST_WORDS = 32


def open_freeswitch(request: UpgradeRequest, _config: TapsSection) -> Pcm:
    """Open mod_audio_fork or mod_audio_stream: audio in messages of bytes; before it the metadata, if there is any.

    Neither says what the audio is, so the URL has to: ?rate=16000&channels=2. Raises RefusedRequestError.
    """
    rate, channels = number(request.query.get("rate", "8000")), number(request.query.get("channels", "1"))
    if rate is None or channels not in (1, 2):
        raise RefusedRequestError("rate is in Hz, and channels is 1 or 2, in the URL", 400)
    try:
        plain = PcmDescription(read_format("l16", rate), channels)
    except BadMessageError as error:
        raise RefusedRequestError(error.reason, 400) from error

    def first(text: str) -> PcmDescription:
        known = _metadata(text)
        return replace(plain, id=_id(known), known=known)

    return Pcm(request.path[0], request, first, plain)


def open_vonage(request: UpgradeRequest, _config: TapsSection) -> Pcm:
    """Open Vonage: first {"event": "websocket:connected", "content-type": "audio/l16;rate=16000", ...} with the headers
    of the NCCO beside (developer.vonage.com/en/voice/voice-api/concepts/websockets).
    """

    def first(text: str) -> PcmDescription | None:
        message = read_object(text)
        if message.get("event") != "websocket:connected":
            return None
        encoding, _, rest = str(message.get("content-type", "audio/l16;rate=16000")).partition(";")
        _, _, rate = rest.partition("rate=")
        known = {key: value for key, value in details(message).items() if key not in ("event", "content-type")}
        return PcmDescription(read_format(encoding, number(rate.strip()) or 16_000), id=_id(known), known=known)

    return Pcm("vonage", request, first)


def open_asterisk(request: UpgradeRequest, _config: TapsSection) -> Pcm:
    """Open chan_websocket: MEDIA_START in plain text, or as JSON where control_message_format says so (Asterisk 20.18,
    22.8, 23.2; docs.asterisk.org/Configuration/Channel-Drivers/WebSocket, channels/chan_websocket.c).
    """

    def first(text: str) -> PcmDescription | None:
        control = _control(text)
        if control.get("event") != "MEDIA_START":
            return None
        name = str(control.get("format", ""))
        encoding, rate = (SLIN, _slin_rate(name)) if name.startswith(SLIN) else (name, None)
        known = details({key: control.get(key) for key in ("channel", "channel_id", "connection_id")})
        id = named(request.query.get("call")) or known.get("channel_id", "")
        return PcmDescription(read_format(encoding, rate), id=id, known=known)

    return Pcm("asterisk", request, first)


def _metadata(text: str) -> dict[str, str]:
    """Read what somebody gave the module to send first: an object, or plain text."""
    try:
        return details(read_object(text))
    except BadMessageError:
        return {"metadata": named(text)}


def _id(known: Mapping[str, str]) -> str:
    return next((known[key] for key in IDS if key in known), "")


def _control(text: str) -> Mapping[str, object]:
    """Return the event and its values. "MEDIA_START connection_id:x channel:y/z format:ulaw optimal_frame_size:160"."""
    if text.lstrip().startswith("{"):
        return read_object(text)
    event, *words = text.split()[:MOST_WORDS] or [""]
    return {"event": event, **{key: value for key, _, value in (word.partition(":") for word in words)}}


def _slin_rate(name: str) -> int | None:
    """Return the rate of a name, Hz: slin is 8 kHz, slin16 is 16, slin44 is 44.1."""
    thousands = number(name.removeprefix(SLIN) or "8")
    if thousands is None:
        raise BadMessageError("a format that is not known", POLICY)
    return 44_100 if thousands == 44 else thousands * 1000
