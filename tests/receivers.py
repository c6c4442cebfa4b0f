"""Real receivers on loopback, as good and as bad as the world's: HTTP, syslog, and the broker mosquitto."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitor.config.schema import Config
from monitor.events.bus import Bus
from monitor.events.sink_worker import SinkStatus
from monitor.sinks.registry import open_sinks
from monitor.types import Event

LIMIT_S = 60.0
HERE = "127.0.0.1"
FAULT = Event("health", "", "", 0, {"code": "stalled", "detail": "", "usable": False})


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind((HERE, 0))
        return int(found.getsockname()[1])


def wait_until(true: Callable[[], object], what: str = "it", limit_s: float = LIMIT_S) -> None:
    until = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < until, f"{what} did not come within {limit_s:g} s"
        time.sleep(0.01)


def alert(number: int = 1, what: str = "opened", call: str = "call1", **more: object) -> Event:
    """An alert as the monitor says it."""
    data = {
        "alert": f"{call}/caller/{number}",
        "state": "clear" if what == "closed" else "alert",
        "p_fake": 0.97,
        "llr": 3.5,
        "peak_llr": 3.9,
        "net_speech_s": 4.0,
        "families": {"gan-vocoder": 0.8},
        "model": "0123456789ab",
        "opened_sample": 16_000,
        "opened_s": 1.0,
        "duration_s": 2.0,
        "why": "likelihood ratio above alerts.alert_llr for alerts.alert_hold_s of speech",
    }
    return Event(f"alert.{what}", call, "caller", 48_000, data | more)


@dataclass(frozen=True)
class Request:
    at: float
    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return str(self.headers["webhook-id"])


@dataclass(frozen=True)
class Says:
    """An answer. stall_s: after so long."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    stall_s: float = 0.0


class HttpReceiver:
    """Answers as `script` says, one request after the other, and 200 from then on. May be killed and started anew."""

    def __init__(self, *script: Says, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.script = deque(script)
        self.requests: list[Request] = []
        self._tls = tls
        self._server: ThreadingHTTPServer | None = None
        self._leave = threading.Event()
        self.port = port
        self.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{'localhost' if self._tls else HERE}:{self.port}/hook"

    @property
    def taken(self) -> list[Request]:
        """Those that were answered with 200, in order."""
        return [request for request, result in self._answered if result.status == 200]

    def start(self) -> None:
        receiver = self
        self._answered: list[tuple[Request, Says]] = getattr(self, "_answered", [])

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(time.monotonic(), self.path, self.headers, body)
                receiver.requests.append(request)
                result = receiver.script.popleft() if receiver.script else Says()
                if result.stall_s and receiver._leave.wait(result.stall_s):
                    return
                receiver._answered.append((request, result))
                with suppress(OSError):
                    self.send_response(result.status)
                    for name, value in result.headers:
                        self.send_header(name, value)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def process_request(self, request: Any, client_address: Any) -> None:
                receiver._connections.add(request)
                super().process_request(request, client_address)

            def handle_error(self, *_: object) -> None: ...

        self._connections: set[socket.socket] = set()
        self._server = Server((HERE, self.port), Handler)
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def kill(self) -> None:
        """As if its process had been: port and connections are gone at once."""
        if self._server is None:
            return
        self._leave.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server = None

    def wait_for(self, count: int) -> list[Request]:
        wait_until(lambda: len(self.taken) >= count, f"request {count}")
        return self.taken

    def __enter__(self) -> HttpReceiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class SyslogReceiver:
    """Takes messages by UDP, or by TCP with octet counting, with or without TLS. May be killed and started anew."""

    def __init__(self, transport: str = "udp", tls: ssl.SSLContext | None = None) -> None:
        self.transport, self._tls = transport, tls
        self.messages: list[bytes] = []
        self.port = free_port(socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
        self._sockets: list[socket.socket] = []
        self.start()

    def start(self) -> None:
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        found = socket.socket(socket.AF_INET, kind)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HERE, self.port))
        if self.transport != "udp":
            found.listen()
        self._sockets = [found]
        threading.Thread(target=self._datagrams if self.transport == "udp" else self._accept, args=(found,)).start()

    def kill(self) -> None:
        for found in self._sockets:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
            found.close()
        self._sockets = []

    def wait_for(self, count: int) -> list[bytes]:
        wait_until(lambda: len(self.messages) >= count, f"message {count}")
        return self.messages

    def _datagrams(self, found: socket.socket) -> None:
        with suppress(OSError):
            while data := found.recv(70_000):
                self.messages.append(data)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._sockets.append(connection)
                threading.Thread(target=self._frames, args=(connection,)).start()

    def _frames(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._sockets.append(connection)
            with connection.makefile("rb") as stream:
                while digits := _until_space(stream):
                    self.messages.append(stream.read(int(digits)))

    def __enter__(self) -> SyslogReceiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _until_space(stream: Any) -> bytes:
    found = b""
    while (letter := stream.read(1)) not in (b" ", b""):
        found += letter
    return found


@contextmanager
def mosquitto(folder: Path, *lines: str, port: int = 0) -> Iterator[int]:
    """A broker; yields its port. lines: of its configuration, after the listener."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    port = port or free_port()
    rest = lines or ("allow_anonymous true",)
    (folder / "mosquitto.conf").write_text("\n".join(["user root", f"listener {port} {HERE}", *rest]))
    with (folder / "mosquitto.log").open("ab") as log:
        process = subprocess.Popen([program, "-c", folder / "mosquitto.conf"], stderr=log, stdout=log)
    try:
        wait_until(lambda: _answers(port), "mosquitto")
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HERE, port), 1.0).close()
    except OSError:
        return False
    return True


def notifier(folder: Path, monkeypatch: pytest.MonkeyPatch, status: int = 0) -> Path:
    """The program notify-send of this test, which writes down what it is asked to show."""
    shown = folder / "shown"
    program = folder / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {shown}\necho "no bus" >&2\nexit {status}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return shown


@contextmanager
def outlet(name: str, epoch: str = "epoch", **section: object) -> Iterator[Bus]:
    """A bus with the outlet that these settings make."""
    config = Config.model_validate({"zeromq": {"enabled": False}, name: section})
    with Bus(open_sinks(config, epoch), 1000, epoch) as bus:
        yield bus


def status(bus: Bus) -> SinkStatus:
    return bus.status()[0]


def say(bus: Bus, count: int, first: int = 1) -> None:
    """So many alerts that open."""
    for number in range(first, first + count):
        bus.publish(alert(number), wait=False)
