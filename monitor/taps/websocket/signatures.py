"""Request signatures of the vendors: checking them. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

from monitor.taps.websocket.access import same
from monitor.taps.websocket.handler import RefusedRequestError, UpgradeRequest

TWILIO_HEADER = "x-twilio-signature"
FONOSTER_HEADER, FONOSTER_TIME_HEADER = "x-fonoster-signature", "x-fonoster-timestamp"
FONOSTER_AGE_S = 300
"""The age that its own servers allow (docs.fonoster.com/reference/voice-sdk)."""


def twilio_signature(url: str, token: str, parameters: Mapping[str, str] | None = None) -> str:
    """Compute X-Twilio-Signature: base64 of HMAC-SHA1 over the URL and the sorted parameters, one after the other
    without anything between (twilio.com/docs/usage/webhooks/webhooks-security). A stream has no parameters.
    """
    text = url + "".join(f"{key}{value}" for key, value in sorted((parameters or {}).items()))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def check_twilio(request: UpgradeRequest, token: str) -> None:
    """Check Twilio's signature; raises RefusedRequestError. As Twilio's own library does, the URL is tried with its
    port and without, and with the slash at its end that the host's root gets.
    """
    shown = request.headers.get(TWILIO_HEADER, "")
    if not shown:
        raise RefusedRequestError("no X-Twilio-Signature")
    right = [same(shown, twilio_signature(url, token)) for url in _spellings(request.url)]
    if not any(right):
        raise RefusedRequestError("wrong X-Twilio-Signature")


def _spellings(url: str) -> tuple[str, ...]:
    """Return equivalent spellings of a URL."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    bare, _, port = host.rpartition(":")
    names = {host, bare if bare and port.isdigit() else f"{host}:{443 if scheme == 'wss' else 80}"}
    urls = {f"{scheme}://{name}{slash}{path}" for name in names}
    return tuple(sorted(urls | {f"{spelt}/" for spelt in urls if not spelt.endswith("/")}))


def fonoster_signature(url: str, secret: str, timestamp: str) -> str:
    """Return x-fonoster-signature: HMAC-SHA256 over timestamp.url, in hexadecimal (docs.fonoster.com/streams)."""
    return hmac.new(secret.encode(), f"{timestamp}.{url}".encode(), hashlib.sha256).hexdigest()


def check_fonoster(request: UpgradeRequest, secret: str) -> None:
    """Check Fonoster's signature. Raises RefusedRequestError."""
    shown, at = (request.headers.get(name, "") for name in (FONOSTER_HEADER, FONOSTER_TIME_HEADER))
    if not shown:
        raise RefusedRequestError("no x-fonoster-signature")
    if not same(shown, fonoster_signature(request.url, secret, at)):
        raise RefusedRequestError("wrong x-fonoster-signature")
    age = request.time - int(at) if at.isascii() and at.isdigit() and len(at) < 12 else float("inf")
    if abs(age) > FONOSTER_AGE_S:
        raise RefusedRequestError("x-fonoster-signature is too old")
