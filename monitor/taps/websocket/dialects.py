"""Twilio Media Streams and what others made of it: where the same things stand under other names. Pure.

Read in the vendors' documentation, of which docs/taps.md says what was checked and what was not:
twilio.com/docs/voice/media-streams/websocket-messages; developers.telnyx.com/api-reference/websockets;
plivo.com/docs/voice/audio-streaming; developer.exotel.com/docs/agentstream/websocket-protocol;
developer.signalwire.com/compatibility-api/cxml/voice/stream; docs.fonoster.com/reference/twilio-compatibility.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

INBOUND, OUTBOUND = "inbound", "outbound"


@dataclass(frozen=True)
class Dialect:
    """Names of fields. stream: of a message, or of its start. call, account, parameters, form: of start.

    parameters_apart: they stand beside start, not in it. rate: of the form. tracks: those that there are where neither
    start nor the URL says. encoding: where start has none, or one that says nothing. connected, stop: whether such
    messages are sent. numbers_are_text: counts stand in quotation marks. chunk_ms: audio in one message. ordered: no
    message overtakes another. both: there can be the track outbound, too.
    """

    stream: str = "streamSid"
    call: str = "callSid"
    account: str = "accountSid"
    parameters: str = "customParameters"
    parameters_apart: bool = False
    form: str = "mediaFormat"
    rate: str = "sampleRate"
    sequence: str = "sequenceNumber"
    tracks: tuple[str, ...] = (INBOUND,)
    encoding: str = "audio/x-mulaw"
    connected: bool = True
    stop: bool = True
    numbers_are_text: bool = True
    chunk_ms: int = 20
    ordered: bool = True
    both: bool = True


SNAKE = Dialect(
    stream="stream_id",
    call="call_control_id",
    account="user_id",
    parameters="custom_parameters",
    form="media_format",
    rate="sample_rate",
    sequence="sequence_number",
)
DIALECTS: Mapping[str, Dialect] = {
    "twilio": Dialect(),
    "signalwire": Dialect(),
    "fonoster": Dialect(both=False),
    "telnyx": replace(SNAKE, encoding="PCMU", ordered=False),
    "plivo": Dialect(
        stream="streamId",
        call="callId",
        account="accountId",
        parameters="extra_headers",
        parameters_apart=True,
        encoding="audio/x-l16",
        connected=False,
        stop=False,
        numbers_are_text=False,
    ),
    "exotel": replace(
        SNAKE,
        stream="stream_sid",
        call="call_sid",
        account="account_sid",
        encoding="raw/slin",
        chunk_ms=100,
        both=False,
    ),
}
"""Dialects by the path of the request."""
