"""Answers ZeroMQ's authentication requests for CURVE (ZAP, https://rfc.zeromq.org/spec/27/). Pure.

libzmq asks once for each connection, after it has proved that the client has the secret key of the public one.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

ENDPOINT = "inproc://zeromq.zap.01"
DOMAIN = "monitor"
VERSION, OK, REFUSED = b"1.0", b"200", b"400"
KEY_BYTES = 32


def answer(frames: Sequence[bytes], allowed: Container[bytes]) -> list[bytes] | None:
    """Return the reply to a request; None for what cannot be replied to. allowed: public keys, 32 bytes each."""
    if len(frames) < 2:
        return None
    number = frames[1]
    if len(frames) != 7 or frames[0] != VERSION or frames[2] != DOMAIN.encode():
        return [VERSION, number, REFUSED, b"bad request", b"", b""]
    mechanism, key = frames[5], frames[6]
    if mechanism != b"CURVE" or len(key) != KEY_BYTES or key not in allowed:
        return [VERSION, number, REFUSED, b"key not allowed", b"", b""]
    return [VERSION, number, OK, b"OK", key.hex().encode(), b""]
