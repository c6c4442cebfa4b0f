"""Connecting to the WebSocket taps as their peers do: addresses, secrets, TLS, and refusals."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from monitor.errors import BadInputError
from monitor.simulate.simulated_peer import RefusedCallError, SimulatedCall
from monitor.taps.websocket.access import TELNYX_HEADER, basic
from monitor.taps.websocket.signatures import (
    FONOSTER_HEADER,
    FONOSTER_TIME_HEADER,
    TWILIO_HEADER,
    fonoster_signature,
    twilio_signature,
)

USUAL = "ws://127.0.0.1:8765"
OPTIONS: Mapping[str, str] = {
    "secret": "what the vendor signs with, or the token that it shows",
    "basic": "user:password (HTTP basic)",
    "url": "the address that is signed, where a proxy stands between (default: that of the connection)",
    "ca": "PEM file of the authority that signed the monitor's certificate",
    "deflate": "on or off: compress messages (default: as the peer has it)",
    "direction": "inbound or outbound",
}
"""The options that all of these peers take with --with."""


@dataclass(frozen=True)
class ConnectRequest:
    """The request of a peer. path: with its query. subprotocols: those offered. deflate: the default. sign: makes the
    headers that authenticate the URL, where the usual ones do not.
    """

    name: str
    path: str
    subprotocols: tuple[str, ...] = ()
    deflate: bool = False
    sign: Callable[[str], Mapping[str, str]] | None = None


@asynccontextmanager
async def connected(call: SimulatedCall, request: ConnectRequest) -> AsyncIterator[ClientConnection]:
    """Open a connection. Raises OSError, and RefusedCallError for one that is refused, at the beginning or later."""
    url = address(call.to, request.path)
    deflate = {"on": True, "off": False}.get(call.options.get("deflate", ""), request.deflate)
    try:
        async with connect(
            url,
            additional_headers=request.sign(url) if request.sign else credentials(request.name, url, call.options),
            subprotocols=[Subprotocol(name) for name in request.subprotocols] or None,
            compression="deflate" if deflate else None,
            ssl=_trusting(call.options.get("ca", "")) if url.startswith("wss:") else None,
            user_agent_header=None,
            proxy=None,
        ) as connection:
            yield connection
    except InvalidStatus as error:
        body = (error.response.body or b"").decode("utf-8", "replace").strip()
        raise RefusedCallError(f"HTTP {error.response.status_code}: {body}") from error
    except InvalidMessage as error:
        raise RefusedCallError("it gave no answer of HTTP: is it wss that it speaks?") from error
    except InvalidHandshake as error:
        raise RefusedCallError(str(error)) from error
    except ConnectionClosed as error:
        frame = error.rcvd
        raise RefusedCallError(f"{frame.code} {frame.reason}" if frame else "the connection broke") from error


def address(to: str, path: str) -> str:
    """Return the URL: HOST:PORT and ws://HOST:PORT get the usual path; a URL with one keeps it, and gets the query."""
    url = to if "://" in to else f"ws://{to}"
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.netloc:
        raise BadInputError(
            f"--to {to} is not a WebSocket address", "write HOST:PORT, ws://HOST:PORT/PATH or wss://..."
        )
    if parts.path.strip("/") or parts.query:
        query = path.partition("?")[2]
        return url + (f"{'&' if parts.query else '?'}{query}" if query else "")
    return url.rstrip("/") + path


def credentials(name: str, url: str, options: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that prove who dials, as each vendor sends them."""
    secret, signed = options.get("secret", ""), options.get("url", url)
    headers = {"Authorization": basic(options["basic"])} if "basic" in options else {}
    if not secret:
        return headers
    if name == "twilio":
        return {**headers, TWILIO_HEADER: twilio_signature(signed, secret)}
    if name == "fonoster":
        at = str(int(time.time()))
        return {**headers, FONOSTER_TIME_HEADER: at, FONOSTER_HEADER: fonoster_signature(signed, secret, at)}
    return {**headers, TELNYX_HEADER: secret} if name == "telnyx" else {"Authorization": f"Bearer {secret}"}


def _trusting(ca: str) -> ssl.SSLContext:
    if ca and not Path(ca).is_file():
        raise BadInputError(f"--with ca={ca}: there is no such file", "name the certificate of the authority")
    return ssl.create_default_context(cafile=ca or None)
