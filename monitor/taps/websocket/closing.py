"""Why a connection has ended, in words."""

from __future__ import annotations

from collections import Counter

from websockets.exceptions import ConnectionClosed

from monitor.taps.websocket.handler import FAULT, GOING_AWAY, INVALID, NORMAL, PROTOCOL_ERROR, TOO_BIG

BROKEN = {
    TOO_BIG: "a message longer than taps.websocket.max_message_bytes",
    INVALID: "text that is not UTF-8",
    PROTOCOL_ERROR: "frames that are no WebSocket",
    FAULT: "no answer to a ping",
}
"""What the library closes a connection for, by the code that it sends."""


def why_closed(closed: ConnectionClosed, counts: Counter[str]) -> str:
    """Return the reason; counts: takes what the library refused."""
    if closed.sent is not None and not closed.rcvd_then_sent and closed.sent.code in BROKEN:
        reason = BROKEN[closed.sent.code]
        counts[reason] += 1
        return reason
    if closed.sent is not None and not closed.rcvd_then_sent and closed.sent.code == GOING_AWAY:
        return "the monitor stops"
    if closed.rcvd is None:
        return "the connection broke"
    return "the peer hung up" if closed.rcvd.code in (NORMAL, GOING_AWAY, 1005) else "the peer gave up"


def short(reason: str) -> str:
    """Return a reason of at most 123 bytes (RFC 6455, section 5.5)."""
    return reason.encode()[:123].decode("utf-8", "ignore")
