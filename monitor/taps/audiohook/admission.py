"""Opens sessions for requests whose signatures prove whom they are from."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.config.taps import TapsSection
from monitor.taps.audiohook.api_keys import read_keys
from monitor.taps.audiohook.session import AudiohookSession
from monitor.taps.audiohook.signature import SignatureError, SignatureVerifier
from monitor.taps.websocket.handler import RefusedRequestError, UpgradeRequest
from monitor.taps.websocket.registry import Make

UNAUTHORIZED = 401


def prepare(config: TapsSection) -> Make:
    """Make the checks of one listener; a signature is valid for one request alone. Raises BadInputError."""
    verifier = SignatureVerifier(read_keys(config.audiohook))

    def make(request: UpgradeRequest, _: TapsSection) -> AudiohookSession:
        try:
            signed = verifier.verify(*as_signed(request, config.websocket.public_url), request.time)
        except SignatureError as error:
            # What is wrong is for the operator; to the peer it would tell which API keys there are.
            raise RefusedRequestError(f"audiohook: {error}", UNAUTHORIZED, answer="unauthorized") from error
        return AudiohookSession(signed)

    return make


def as_signed(request: UpgradeRequest, public_url: str) -> tuple[str, Mapping[str, str]]:
    """Return the target and the headers that the client signed, where a proxy at that URL (or "") may have changed
    them."""
    if not public_url:
        return request.target, request.headers
    authority, slash, folder = public_url.partition("://")[2].rstrip("/").partition("/")
    return slash + folder + request.target, {**request.headers, "host": authority}
