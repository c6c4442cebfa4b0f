"""The protocols by the first part of the path. A new one is one file, one line here and one test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

from monitor.config.taps import TapsSection
from monitor.taps.websocket.handler import Handler, UpgradeRequest

Make = Callable[[UpgradeRequest, TapsSection], Handler]
"""Opens a connection. Raises RefusedRequestError, such as for a signature that is wrong."""


@dataclass(frozen=True)
class ServedProtocol:
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

PROTOCOLS: Mapping[str, ServedProtocol] = {
    "twilio": ServedProtocol(MEDIA_STREAMS, own_secret=lambda taps: bool(taps.websocket.twilio_auth_token)),
    "telnyx": ServedProtocol(MEDIA_STREAMS),
    "plivo": ServedProtocol(MEDIA_STREAMS),
    "exotel": ServedProtocol(MEDIA_STREAMS),
    "signalwire": ServedProtocol(MEDIA_STREAMS),
    "fonoster": ServedProtocol(MEDIA_STREAMS, own_secret=lambda taps: bool(taps.websocket.fonoster_secret)),
    "audiofork": ServedProtocol(f"{PBX}:open_freeswitch", subprotocols=("audio.drachtio.org",)),
    "audiostream": ServedProtocol(f"{PBX}:open_freeswitch"),
    "vonage": ServedProtocol(f"{PBX}:open_vonage"),
    "asterisk": ServedProtocol(f"{PBX}:open_asterisk", subprotocols=("media",)),
    "audiohook": ServedProtocol("monitor.taps.audiohook.admission:prepare", prepared=True, own_secret=lambda _: True),
}
"""Protocols by name: /NAME, or /NAME/TOKEN."""


def load_makers(names: Iterable[str], config: TapsSection) -> dict[str, Make]:
    """Load the functions that open connections, by protocol. Raises BadInputError."""
    makers: dict[str, Make] = {}
    for name in names:
        module, _, function = PROTOCOLS[name].make.partition(":")
        found = getattr(import_module(module), function)
        makers[name] = found(config) if PROTOCOLS[name].prepared else found
    return makers
