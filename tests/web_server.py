"""`monitor serve --web` as a process, and what talks to it: requests, WebSockets, a microphone."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from helpers import QUICK, Audio, Running, make_weights, settings, start_monitor
from websockets.sync.client import ClientConnection, connect


@dataclass(frozen=True)
class Served:
    """A server and the port of its page."""

    monitor: Running
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def request(
        self, path: str, method: str = "GET", body: str | None = None, tls: ssl.SSLContext | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (in lower case) and body. headers: an underscore is a hyphen."""
        if tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        else:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=30, context=tls)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def socket(self, path: str, **headers: str) -> ClientConnection:
        """A WebSocket."""
        return connect(
            f"ws://127.0.0.1:{self.port}{path}",
            additional_headers=headers,
            compression=None,
            open_timeout=30,
            proxy=None,
        )


@contextmanager
def serving_page(folder: Path, *words: str, env: dict[str, str] | None = None) -> Iterator[Served]:
    """A page on a free port, until Ctrl-C."""
    make_weights(folder / "w.safetensors")
    options = ("--weights", "w.safetensors", "--json", "--no-publish", "--web", "127.0.0.1:0", *settings(*QUICK))
    with start_monitor("serve", *options, *words, cwd=folder, env=env) as monitor:
        result = json.loads(monitor.wait_for(lambda line: '"listening"' in line))
        page = next(tap for tap in result["detail"].split("; ") if tap.startswith("web "))
        yield Served(monitor, int(page.rpartition(":")[2]))
        assert monitor.end(signal.SIGINT) == 130
        assert monitor.stderr == ""


def picture(socket: ClientConnection, **want: object) -> dict[str, Any]:
    """Ask for the next picture."""
    socket.send(json.dumps(want))
    seen: dict[str, Any] = json.loads(socket.recv(timeout=60))
    return seen


def frames(samples: Audio, rate: int) -> Iterator[bytes]:
    """As the page sends them: 20 ms behind the place of their first sample."""
    whole, size = (samples * 32_767).astype("<i2"), rate // 50
    for at in range(0, len(whole) - size + 1, size):
        yield struct.pack("<I", at) + whole[at : at + size].tobytes()


def speak(socket: ClientConnection, samples: Audio, rate: int) -> None:
    """Send a voice by the clock."""
    begun = time.monotonic()
    for number, frame in enumerate(frames(np.asarray(samples, np.float32), rate)):
        time.sleep(max(0.0, begun + number * 0.02 - time.monotonic()))
        socket.send(frame)
