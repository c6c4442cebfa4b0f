"""The far ends that send audio as bytes: FreeSWITCH, Vonage, Asterisk."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode

from monitor.errors import BadInputError
from monitor.simulate.encoded_frames import EncodedFrames, Parties, read_rate
from monitor.simulate.simulated_peer import SimulatedCall, SimulationCounts, paced
from monitor.simulate.websocket import OPTIONS, USUAL, ConnectRequest, connected

FRAME_S = 0.02


@dataclass(frozen=True)
class PcmVariant:
    """Differences between peers. first: makes the first message from the call's id, rate and codec. stereo: two parties
    of a recording are interleaved, else mixed. rate: the default. codecs: those besides L16.
    """

    first: Callable[[str, int, str], str]
    rate: int
    stereo: bool = False
    subprotocols: tuple[str, ...] = ()
    deflate: bool = False
    codecs: Mapping[str, str] = field(default_factory=dict)


def _metadata(id: str, _rate: int, _codec: str) -> str:
    return json.dumps({"call_id": id})


def _connected(id: str, rate: int, _codec: str) -> str:
    return json.dumps({"event": "websocket:connected", "content-type": f"audio/l16;rate={rate}", "call_uuid": id})


def _media_start(id: str, rate: int, codec: str) -> str:
    name = {"PCMU": "ulaw", "PCMA": "alaw"}.get(codec, "slin" if rate == 8000 else f"slin{rate // 1000}")
    size = round(rate * FRAME_S) * (1 if codec.startswith("PCM") else 2)
    return (
        f"MEDIA_START connection_id:media channel:WebSocket/media-{id} channel_id:{id} format:{name} "
        f"optimal_frame_size:{size} ptime:20"
    )


SHAPES: Mapping[str, PcmVariant] = {
    "audiofork": PcmVariant(_metadata, 16_000, stereo=True, subprotocols=("audio.drachtio.org",)),
    "audiostream": PcmVariant(_metadata, 8000, stereo=True, deflate=True),
    "vonage": PcmVariant(_connected, 16_000),
    "asterisk": PcmVariant(_media_start, 8000, subprotocols=("media",), codecs={"PCMU": "ulaw", "PCMA": "alaw"}),
}


class PcmPeer:
    """A recording of two parties is sent as two channels where the peer has them, else mixed."""

    def __init__(self, name: str) -> None:
        self._name, self._shape, self._prepared = name, SHAPES[name], EncodedFrames()
        self.to = f"{USUAL}/{name}"
        codec = {"codec": f"{', '.join(self._shape.codecs)} or L16 (default: L16)"} if self._shape.codecs else {}
        self.options: Mapping[str, str] = {
            **codec,
            "rate": f"Hz (default: {self._shape.rate})",
            "parties": "names of the parties: NAME or NAME,NAME",
            "call": "id of the call; the second and later ones get a number (default: simulated)",
            **OPTIONS,
        }

    async def play(self, call: SimulatedCall, counts: SimulationCounts) -> None:
        """Play one call. Raises RefusedCallError, OSError, and BadInputError for options that make no sense."""
        if call.network.loss or call.network.reorder:
            raise BadInputError(
                f"--loss and --reorder: {self._name} numbers nothing, and TCP loses nothing", "leave them out"
            )
        shape, codec = self._shape, call.options.get("codec", "L16")
        rate = 8000 if codec != "L16" else read_rate(call.options.get("rate", str(shape.rate)))
        parties: Parties = "interleaved" if shape.stereo else "mixed"
        (frames,) = self._prepared.frames(call.audio, codec, rate, FRAME_S, parties)
        id = call.options.get("call", "simulated") + (f"-{call.number}" if call.number else "")
        query = {key: call.options[key] for key in ("parties", "direction") if key in call.options}
        if shape.stereo:
            query |= {"rate": str(rate), "channels": str(len(call.audio))}
        path = f"/{self._name}" + (f"?{urlencode(query)}" if query else "")
        async with connected(call, ConnectRequest(self._name, path, shape.subprotocols, shape.deflate)) as connection:
            await connection.send(shape.first(id, rate, codec))
            async for number in paced(call.departures(len(frames), FRAME_S)):
                await connection.send(frames[number])
                counts.sent += 1


audiofork, audiostream, vonage, asterisk = (
    partial(PcmPeer, name) for name in ("audiofork", "audiostream", "vonage", "asterisk")
)
