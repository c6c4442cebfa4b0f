"""The simulators by name. A new one is one file, one line here and one test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from monitor.simulate.simulated_peer import SimulatedPeer

MEDIA_STREAMS, PCM = "monitor.simulate.twilio_media_streams", "monitor.simulate.pcm_streams"

PEERS: Mapping[str, str] = {
    "audiosocket": "monitor.simulate.audiosocket:AudioSocketPeer",
    "rtp": "monitor.simulate.rtp:RtpPeer",
    **{name: f"{MEDIA_STREAMS}:{name}" for name in ("twilio", "telnyx", "plivo", "exotel", "signalwire", "fonoster")},
    **{name: f"{PCM}:{name}" for name in ("audiofork", "audiostream", "vonage", "asterisk")},
    "audiohook": "monitor.simulate.audiohook:AudiohookPeer",
}
"""Name of the tap to "module:class" of its far end; loaded when it is asked for."""


def make_peer(name: str) -> SimulatedPeer:
    """Make a peer. Raises KeyError for a name that PEERS lacks."""
    module, _, kind = PEERS[name].partition(":")
    return cast(Callable[[], SimulatedPeer], getattr(import_module(module), kind))()
