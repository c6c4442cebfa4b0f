"""Asterisk's end of AudioSocket: the AudioSocket() application and channel driver (res/res_audiosocket.c)."""

from __future__ import annotations

import asyncio
import contextlib
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from model.resample import resample_all
from monitor.audio import Audio
from monitor.config.addresses import read_address
from monitor.errors import BadInputError
from monitor.rtp.encode import integers
from monitor.simulate.plan import in_order
from monitor.simulate.simulated_peer import RefusedCallError, SimulatedCall, SimulationCounts, number, paced
from monitor.taps.audiosocket.frame_parser import DTMF, HANGUP, RATES, UUID, FrameParser, pack
from monitor.types import SAMPLE_RATE

KINDS = {rate: kind for kind, rate in RATES.items()}
CONNECT_TIMEOUT_S = 5.0
"""How long Asterisk waits for the connection."""


@dataclass(frozen=True)
class AudioSocketOptions:
    """Options of one run. *_at: seconds of the call, inf = never."""

    rate: int
    frame_ms: float
    first: uuid.UUID | None
    rate_change_at: float
    dtmf_at: float
    hangup: bool


def read_options(options: Mapping[str, str]) -> AudioSocketOptions:
    """Read the options of --with. Raises BadInputError."""
    rate = int(number(options, "rate", 8000))
    if rate not in KINDS:
        raise BadInputError(f"rate={rate} has no type of frame", f"choose from {', '.join(map(str, KINDS))}")
    frame_ms = number(options, "frame_ms", 20.0)
    if not 1 <= frame_ms <= 150:
        raise BadInputError(f"frame_ms={frame_ms:g} cannot be sent", "write 1 to 150; Asterisk sends 20")
    try:
        first = uuid.UUID(options["uuid"]) if "uuid" in options else None
    except ValueError as error:
        raise BadInputError(f"uuid={options['uuid']} is not a UUID", "write 8-4-4-4-12 digits") from error
    if (end := options.get("end", "hangup")) not in ("hangup", "close"):
        raise BadInputError(f"end={end} is not valid", "write end=hangup or end=close")
    rate_change_at, dtmf_at = (number(options, key, math.inf) for key in ("rate-change-at", "dtmf-at"))
    return AudioSocketOptions(rate, frame_ms, first, rate_change_at, dtmf_at, end == "hangup")


def frames_of(sending: AudioSocketOptions, audio: Audio) -> list[bytes]:
    """Encode one party, float32 (n,) at SAMPLE_RATE; from rate_change_at on at another rate."""
    turn = len(audio) if math.isinf(sending.rate_change_at) else round(sending.rate_change_at * SAMPLE_RATE)
    other = 16_000 if sending.rate != 16_000 else 8000
    out: list[bytes] = []
    for part, rate in ((audio[:turn], sending.rate), (audio[turn:], other)):
        whole = integers(resample_all(part, SAMPLE_RATE, rate)).astype("<i2") if len(part) else np.zeros(0, "<i2")
        size = round(rate * sending.frame_ms / 1000)
        out += [pack(KINDS[rate], whole[at : at + size].tobytes()) for at in range(0, len(whole) - size + 1, size)]
    return out


class AudioSocketPeer:
    """One connection a channel, as Asterisk has it: the parties of a call are two calls for the monitor."""

    to = "127.0.0.1:9092"
    options: Mapping[str, str] = {
        "rate": f"Hz: {', '.join(map(str, KINDS))} (8000)",
        "frame_ms": "audio in a frame (20)",
        "uuid": "of the first call; the next ones count up (made from the number of the call)",
        "rate-change-at": "second at which the rate becomes another (never)",
        "dtmf-at": "second at which a key is pressed (never)",
        "end": "hangup, or close the connection without a word (hangup)",
    }

    def __init__(self) -> None:
        self._frames: dict[tuple[int, int], list[bytes]] = {}

    async def play(self, call: SimulatedCall, counts: SimulationCounts) -> None:
        """Play one call. Raises RefusedCallError, OSError and BadInputError."""
        sending = read_options(call.options)
        await asyncio.gather(*(self._party(call, sending, party, counts) for party in range(len(call.audio))))

    async def _party(
        self, call: SimulatedCall, sending: AudioSocketOptions, party: int, counts: SimulationCounts
    ) -> None:
        host, port = read_address("--to", call.to)
        key = len(call.audio), party
        if key not in self._frames:  # the same for all calls of a run
            self._frames[key] = frames_of(sending, call.audio[party])
        frames = self._frames[key]
        connecting = asyncio.open_connection(host, port)
        try:
            reader, writer = await asyncio.wait_for(connecting, CONNECT_TIMEOUT_S)
        except TimeoutError as error:
            raise RefusedCallError(f"no connection within {CONNECT_TIMEOUT_S:g} s") from error
        hung_up = asyncio.create_task(_wait_for_hangup(reader))
        try:
            writer.write(pack(UUID, _name(sending, call.number, party).bytes))
            plan = in_order(call.departures(len(frames), sending.frame_ms / 1000, party))
            counts.lost += len(frames) - len(plan)
            async for frame in paced(plan):
                if hung_up.done():
                    raise RefusedCallError("it hung up")
                if frame * sending.frame_ms / 1000 >= sending.dtmf_at > (frame - 1) * sending.frame_ms / 1000:
                    writer.write(pack(DTMF, b"5"))
                writer.write(frames[frame])
                await writer.drain()
                counts.sent += 1
            if sending.hangup:
                writer.write(pack(HANGUP))
        finally:
            hung_up.cancel()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _name(sending: AudioSocketOptions, call: int, party: int) -> uuid.UUID:
    if sending.first is not None:
        return uuid.UUID(int=sending.first.int + 2 * call + party)
    return uuid.UUID(bytes=np.random.default_rng([call, party, 9092]).bytes(16), version=4)


async def _wait_for_hangup(reader: asyncio.StreamReader) -> None:
    """Wait until the monitor hangs up."""
    parser = FrameParser()
    with contextlib.suppress(OSError):
        while data := await reader.read(4096):
            if any(frame.kind == HANGUP for frame in parser.feed(data)):
                return
