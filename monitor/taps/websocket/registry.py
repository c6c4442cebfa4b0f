"""The protocols by the first part of the path. A new one is one file, one line here and one test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

from monitor.config.taps import TapsSection
from monitor.taps.websocket.handler import Handler, Request

Make = Callable[[Request, TapsSection], Handler]
"""Opens a connection. Raises RefusedRequestError, such as for a signature that is wrong."""


@dataclass(frozen=True)
class Served:
    """make: "module:function", a Make. prepared: it is none, but makes one of the settings, once for a listener, and
    may raise BadInputError. subprotocols: of these, the one that a peer offers first is chosen. own_secret: whether the
    settings hold a secret of its own, which make() then asks for; without one the peer has to show
    taps.websocket.token or basic, where they are set.
    """

    make: str
    prepared: bool = False
    subprotocols: tuple[str, ...] = ()
    own_secret: Callable[[TapsSection], bool] = lambda _: False


MEDIA_STREAMS = "monitor.taps.websocket.twilio_media_streams:open_stream"
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
    "audiohook": Served("monitor.taps.audiohook.admission:prepare", prepared=True, own_secret=lambda _: True),
}
"""By name: /NAME, or /NAME/TOKEN."""


def load_makers(names: Iterable[str], config: TapsSection) -> dict[str, Make]:
    """Load the functions that open connections, by protocol. Raises BadInputError."""
    makers: dict[str, Make] = {}
    for name in names:
        module, _, function = PROTOCOLS[name].make.partition(":")
        found = getattr(import_module(module), function)
        makers[name] = found(config) if PROTOCOLS[name].prepared else found
    return makers
