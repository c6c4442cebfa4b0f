"""A client of AudioHook, such as Genesys Cloud: it signs, opens, streams PCMU, pings, pauses, discards and closes.

It checks every answer: one that the protocol does not have is a fault of the call.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from model.resample import resample_all
from monitor.audio import Audio
from monitor.errors import BadInputError
from monitor.rtp.encode import companded
from monitor.simulate.audiohook_client_messages import SessionMessages, WrongAnswerError
from monitor.simulate.simulated_peer import SimulatedCall, SimulationCounts, paced
from monitor.simulate.websocket import OPTIONS, USUAL, ConnectRequest, connected
from monitor.taps.audiohook.audiohook_messages import EXTERNAL, INTERNAL, NOBODY, RATE, AudiohookMedia, write_duration
from monitor.taps.audiohook.signature import signed_headers
from monitor.types import SAMPLE_RATE

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

FRAME_S = 0.2
"""The audio in a message, as the reference client has it."""
FRAME = round(FRAME_S * RATE)
PING_FRAMES = 5
ANSWER_S = 10.0
"""The reference client waits so long for closed, and half of it for opened."""
OFFERS = (AudiohookMedia((EXTERNAL, INTERNAL)), AudiohookMedia((EXTERNAL,)), AudiohookMedia((INTERNAL,)))
PARTICIPANT = {"ani": "+15550100", "aniName": "Simulated Caller", "dnis": "+15550199"}
PORTS = {"ws": 80, "wss": 443}


@dataclass(frozen=True)
class FrameGap:
    """Frames that are not sent; count may be 0."""

    first: int
    count: int

    def __contains__(self, frame: int) -> bool:
        return self.first <= frame < self.first + self.count


@dataclass(frozen=True)
class AudiohookOptions:
    """Options of one run."""

    key: str
    secret: bytes
    pause: FrameGap
    discard: FrameGap
    probe: bool


def read_options(options: Mapping[str, str]) -> AudiohookOptions:
    """Read the options of --with. Raises BadInputError."""
    if not options.get("key") or not options.get("secret"):
        raise BadInputError("audiohook signs its requests", "give --with key=API-KEY --with secret=CLIENT-SECRET")
    try:
        secret = base64.b64decode(options["secret"], validate=True)
    except binascii.Error as error:
        raise BadInputError(
            "the secret is not base64", "give the client secret as it stands in the settings"
        ) from error
    if (probe := options.get("probe", "no")) not in ("yes", "no"):
        raise BadInputError(f"probe={probe} is not valid", "write probe=yes")
    pause, discard = (_hole(options.get(name, ""), name) for name in ("pause", "discard"))
    return AudiohookOptions(options["key"], secret, pause, discard, probe == "yes")


def _hole(text: str, name: str) -> FrameGap:
    """Parse AT+FOR, both in seconds."""
    begin, plus, length = text.partition("+")
    if not text:
        return FrameGap(0, 0)
    try:
        hole = FrameGap(round(float(begin) / FRAME_S), round(float(length) / FRAME_S))
    except (ValueError, OverflowError):
        hole = FrameGap(-1, 0)
    if not plus or hole.first < 0 or hole.count < 1:
        raise BadInputError(f"{name}={text} is not valid", f"write for instance {name}=2+3: at 2 s, for 3 s")
    return hole


class AudiohookPeer:
    """Stereo is external, internal; a recording of one channel is the external party."""

    to = f"{USUAL}/audiohook"
    options: Mapping[str, str] = {
        "key": "the API key",
        "secret": "its client secret, in base64",
        "pause": "AT+FOR, seconds: the audio is paused",
        "discard": "AT+FOR, seconds: audio that is not sent, and said to be discarded",
        "probe": "yes: open and close as the connection probe of Genesys Cloud does (no)",
        "ca": OPTIONS["ca"],
    }

    def __init__(self) -> None:
        self._coded: list[NDArray[np.uint8]] = []
        """The payloads of each party; made once for all calls."""

    async def play(self, call: SimulatedCall, counts: SimulationCounts) -> None:
        """Play one call. Raises BadInputError, RefusedCallError and OSError."""
        options = read_options(call.options)
        self._coded = self._coded or [coded(party) for party in call.audio]
        if call.network.reorder:
            raise BadInputError("a WebSocket keeps the order of its messages", "leave --reorder out")
        messages, organization = SessionMessages(), str(uuid.uuid4())
        request = ConnectRequest(
            "audiohook", "/audiohook", sign=lambda url: request_headers(options, url, messages.id, organization)
        )
        try:
            async with connected(call, request) as socket:
                await _Session(socket, messages, counts, self._coded).run(call, options, organization)
        except WrongAnswerError as error:
            counts.faults[f"wrong answer: {error}"] += 1


def request_headers(options: AudiohookOptions, to: str, session: str, organization: str) -> dict[str, str]:
    """Return the headers of a request: identity and signature."""
    url = urlsplit(to)
    headers = {
        "audiohook-organization-id": organization,
        "audiohook-session-id": session,
        "audiohook-correlation-id": str(uuid.uuid4()),
        "x-api-key": options.key,
    }
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    usual = f":{PORTS[url.scheme]}"
    authority = url.netloc.rpartition("@")[2].removesuffix(usual)
    nonce, created = secrets.token_urlsafe(24), int(time.time())
    signed = {**headers, "host": authority}
    return headers | signed_headers(options.key, options.secret, target, signed, nonce, created)


@dataclass
class _Session:
    socket: ClientConnection
    messages: SessionMessages
    counts: SimulationCounts
    coded: list[NDArray[np.uint8]]

    async def run(self, call: SimulatedCall, options: AudiohookOptions, organization: str) -> None:
        """Run a session from open to closed."""
        offers = OFFERS[0 if len(self.coded) > 1 else 1 :]
        parameters: dict[str, object] = {
            "organizationId": organization,
            "conversationId": NOBODY if options.probe else str(uuid.uuid4()),
            "participant": {"id": NOBODY if options.probe else str(uuid.uuid4()), **PARTICIPANT},
            "media": [media.offer() for media in offers],
            "language": "en-US",
        }
        await self.socket.send(self.messages.message("open", 0, parameters, "opened"))
        _, opened = await self._answer()
        chosen = [media for media in offers if opened.get("media") == [media.offer()]]
        if not chosen:
            raise WrongAnswerError("opened with media that were not offered")
        frames = [] if options.probe else interleaved(self.coded, chosen[0].channels)
        await self._stream(call, options, frames)
        await self.socket.send(self.messages.message("close", FRAME * len(frames), {"reason": "end"}, "closed"))
        while (await self._answer())[0] != "closed":
            pass

    async def _stream(self, call: SimulatedCall, options: AudiohookOptions, frames: list[bytes]) -> None:
        """Send the audio; discard the frames that the network would lose: over TCP the client itself loses audio."""
        plan = call.departures(len(frames), FRAME_S)
        arriving = {frame for _, frame in plan}
        self.counts.lost += len(frames) - len(arriving)
        missing = 0
        async for frame in paced(_in_time(plan, len(frames))):
            if frame % PING_FRAMES == 0:
                await self.socket.send(self.messages.message("ping", FRAME * (frame - missing), {}, "pong"))
                await self._answer()
            if frame == options.pause.first and options.pause.count:
                await self._send("paused", frame, {})
            if frame in options.pause:
                if frame + 1 not in options.pause:
                    await self._send("resumed", frame + 1, _gap(options.pause.first, options.pause.count))
                continue
            if frame in options.discard or frame not in arriving:
                missing += 1
                continue
            if missing:
                await self._send("discarded", frame, _gap(frame - missing, missing))
                missing = 0
            await self.socket.send(frames[frame])
            self.counts.sent += 1
        if missing:
            await self._send("discarded", len(frames), _gap(len(frames) - missing, missing))

    async def _send(self, kind: str, frame: int, parameters: Mapping[str, object]) -> None:
        await self.socket.send(self.messages.message(kind, FRAME * frame, parameters))

    async def _answer(self) -> tuple[str, Mapping[str, Any]]:
        try:
            async with asyncio.timeout(ANSWER_S):
                text = await self.socket.recv()
        except TimeoutError as error:
            raise WrongAnswerError(f"none within {ANSWER_S:g} s, where {list(self.messages.asked)} are due") from error
        return self.messages.receive(text)


def _gap(first: int, count: int) -> dict[str, str]:
    return {"start": write_duration(FRAME * first), "discarded": write_duration(FRAME * count)}


def _in_time(plan: list[tuple[float, int]], frames: int) -> list[tuple[float, int]]:
    """Return the plan with the frames that do not arrive, each when it should have left."""
    found = {frame: at for at, frame in plan}
    out: list[tuple[float, int]] = []
    for frame in range(frames):
        out.append((max(found.get(frame, frame * FRAME_S), out[-1][0] if out else 0.0), frame))
    return out


def coded(party: Audio) -> NDArray[np.uint8]:
    """Return the frames (n, FRAME) in PCMU. party: float32 (n,) at SAMPLE_RATE."""
    codes = np.frombuffer(companded("PCMU")(resample_all(party, SAMPLE_RATE, RATE)), np.uint8)
    return codes[: len(codes) // FRAME * FRAME].reshape(-1, FRAME)


def interleaved(parties: Sequence[NDArray[np.uint8]], channels: Sequence[str]) -> list[bytes]:
    """Return the frames of those channels. parties: the external one first; one alone is heard on every channel."""
    chosen = [parties[0 if name == EXTERNAL else -1] for name in channels]
    return [frame.tobytes() for frame in np.stack(chosen, axis=2)]
