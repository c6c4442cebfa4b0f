"""The protocols by the first part of the path. A new one is one file, one line here and one test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from monitor.taps.config import TapsSection
from monitor.taps.websocket.handler import Handler, RefusedRequestError, Request

Make = Callable[[Request, TapsSection], Handler]
"""Opens a connection. Raises RefusedRequestError, such as for a signature that is wrong."""


@dataclass(frozen=True)
class Served:
    """make: "module:function", a Make, loaded when it is asked for. subprotocols: of these, the one that a peer offers
    first is chosen. own_secret: whether the settings hold a secret of its own, which make() then asks for; without one
    the peer has to show taps.websocket.token or basic, where they are set.
    """

    make: str
    subprotocols: tuple[str, ...] = ()
    own_secret: Callable[[TapsSection], bool] = lambda _: False


MEDIA_STREAMS = "monitor.taps.websocket.media_streams:open_stream"
PBX = "monitor.taps.websocket.pbx"

PROTOCOLS: Mapping[str, Served] = {
    "twilio": Served(MEDIA_STREAMS, own_secret=lambda taps: bool(taps.websocket.twilio_auth_token)),
    "telnyx": Served(MEDIA_STREAMS),
    "plivo": Served(MEDIA_STREAMS),
    "exotel": Served(MEDIA_STREAMS),
    "signalwire": Served(MEDIA_STREAMS),
    "fonoster": Served(MEDIA_STREAMS, own_secret=lambda taps: bool(taps.websocket.fonoster_secret)),
    "audiofork": Served(f"{PBX}:open_freeswitch", subprotocols=("audio.drachtio.org",)),
    "audiostream": Served(f"{PBX}:open_freeswitch"),
    "vonage": Served(f"{PBX}:open_vonage"),
    "asterisk": Served(f"{PBX}:open_asterisk", subprotocols=("media",)),
}
"""By name: /NAME, or /NAME/TOKEN."""


def make_handler(name: str, request: Request, config: TapsSection) -> Handler:
    """Raises RefusedRequestError."""
    if name not in PROTOCOLS:
        raise RefusedRequestError("no such path", 404)
    module, _, function = PROTOCOLS[name].make.partition(":")
    return cast(Make, getattr(import_module(module), function))(request, config)
