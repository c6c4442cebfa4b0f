"""Peers that misbehave, for benchmarks/many_calls.py: each kind floods, lies, stalls or vanishes, again and again.

python -m benchmarks.misbehaving_peers RTP_PORT TCP_PORT PEERS WAIT_S SECONDS. At the end one line of JSON
says how often each did it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import struct
import sys
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from monitor.rtp.packet import HEADER, VERSION
from monitor.taps.audiosocket.frame_parser import UUID, pack

FRAME = pack(0x10, bytes(320))


class MisbehavingPeer:
    """One peer. done: how often each kind has acted, of all peers."""

    def __init__(self, number: int, rtp_port: int, tcp_port: int, done: Counter[str]) -> None:
        self._random, self._tcp, self._done = random.Random(number), tcp_port, done
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._out.connect(("127.0.0.1", rtp_port))
        self._out.setblocking(False)

    async def act(self, kind: str) -> None:
        """Do it once."""
        self._done[kind] += 1
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            "rtp garbage": self._garbage,
            "rtp flood of one stream": self._flood,
            "rtp flood of new streams": self._unknown_calls,
            "rtp payloads of 8 kB": self._large,
            "audiosocket flood": self._talk_too_fast,
            "audiosocket silence": lambda: self._connect(b"", 2.0),
            "audiosocket garbage": lambda: self._connect(os.urandom(4096), 0.2),
            "audiosocket lie about a length": lambda: self._connect(self._hello() + b"\x10\xff\xff" + FRAME, 5.0),
            "audiosocket vanishing": lambda: self._connect(self._hello() + FRAME * 5, 0.5, reset=True),
            "audiosocket reconnecting": self._reconnect,
        }
        await acts[kind]()

    def _send(self, packet: bytes) -> None:
        try:
            self._out.send(packet)
        except OSError:
            self._done["datagrams that could not be sent"] += 1

    async def _garbage(self) -> None:
        for _ in range(20):
            self._send(self._random.randbytes(self._random.randrange(1, 1200)))
            await asyncio.sleep(0.02)

    async def _flood(self) -> None:
        for n in range(600):
            self._send(HEADER.pack(VERSION << 6, 0, n, n * 160, 7) + bytes(160))
            if n % 10 == 9:
                await asyncio.sleep(0.02)

    async def _unknown_calls(self) -> None:
        for _ in range(30):
            ssrc = self._random.getrandbits(32)
            for n in range(2):
                self._send(HEADER.pack(VERSION << 6, 0, n, n * 160, ssrc) + bytes(160))
            await asyncio.sleep(0.05)

    async def _large(self) -> None:
        for n in range(50):
            self._send(HEADER.pack(VERSION << 6, 0, n, n * 8000, 9) + bytes(8000))
            await asyncio.sleep(0.02)

    def _hello(self) -> bytes:
        return pack(UUID, uuid.UUID(int=self._random.getrandbits(128)).bytes)

    async def _talk_too_fast(self) -> None:
        """Send a hundred times as fast as real time, as long as it is let."""
        await self._connect(self._hello(), 0.0, more=FRAME * 100, times=500)

    async def _reconnect(self) -> None:
        for _ in range(20):
            await self._connect(self._hello(), 0.0)
            await asyncio.sleep(0.05)

    async def _connect(
        self, data: bytes, wait_s: float, *, more: bytes = b"", times: int = 0, reset: bool = False
    ) -> None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._tcp)
            writer.write(data)
            for _ in range(times):
                writer.write(more)
                await writer.drain()
                await asyncio.sleep(0.02)
            await asyncio.sleep(wait_s)
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.close()
            await writer.wait_closed()
        except OSError:
            self._done["connections that the monitor ended"] += 1


KINDS: Sequence[str] = (
    "rtp garbage",
    "rtp flood of one stream",
    "rtp flood of new streams",
    "rtp payloads of 8 kB",
    "audiosocket flood",
    "audiosocket silence",
    "audiosocket garbage",
    "audiosocket lie about a length",
    "audiosocket vanishing",
    "audiosocket reconnecting",
)


async def run_peers(rtp_port: int, tcp_port: int, peers: int, seconds: float) -> Counter[str]:
    """Let each peer do one kind of thing again and again, with pauses, until then."""
    done: Counter[str] = Counter()
    until = time.monotonic() + seconds

    async def one(number: int) -> None:
        peer = MisbehavingPeer(number, rtp_port, tcp_port, done)
        while time.monotonic() < until:
            await peer.act(KINDS[number % len(KINDS)])
            await asyncio.sleep(1.0)

    tasks = [asyncio.create_task(one(number)) for number in range(peers)]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return done


def main() -> None:
    rtp_port, tcp_port, peers, wait_s, seconds = sys.argv[1:]
    time.sleep(float(wait_s))
    done = asyncio.run(run_peers(int(rtp_port), int(tcp_port), int(peers), float(seconds)))
    print(json.dumps(done | {"processor_s": round(time.process_time(), 2)}))


if __name__ == "__main__":
    main()
