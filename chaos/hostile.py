"""Subscribers that ask for far more than any topic needs, beside those under test."""

from __future__ import annotations

import random

import zmq

PREFIXES, LONGEST = 400, 400


class Hostile:
    """Some connections to a publisher, each with PREFIXES random prefixes of up to LONGEST bytes."""

    def __init__(self, address: str, count: int, rng: random.Random) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        for _ in range(count):
            socket = self._context.socket(zmq.SUB)
            socket.setsockopt(zmq.LINGER, 0)
            for _ in range(PREFIXES):
                socket.setsockopt(zmq.SUBSCRIBE, rng.randbytes(rng.randint(1, LONGEST)))
            socket.connect(address)

    def close(self) -> None:
        """Disconnect."""
        self._context.destroy(0)
