"""Events to a syslog receiver: UDP (RFC 5426), TCP with octet counting (RFC 6587) or TLS (RFC 5425).

Syslog has no receipts. On a stream, what was sent shortly before its end was noticed is therefore sent once more, so
that a receiver which is started anew loses nothing; it may see an event twice, under the same id. Over UDP nothing can
be known.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections import deque
from math import inf

from monitor.config.addresses import read_address
from monitor.config.outlets import SyslogSection
from monitor.errors import SinkError
from monitor.events.sink import Sink
from monitor.sinks.http import reason, tls_context
from monitor.sinks.selection import selector
from monitor.sinks.syslog_message import frame, message
from monitor.types import Event

CHECK_S = 0.1
"""Between two looks at whether the other end has closed the stream."""
DOUBT_S = 2.0
"""Before the end of a stream was noticed; what is older has arrived."""
MOST_IN_DOUBT = 1000
DATAGRAM_BYTES = 65_507


class SyslogSink(Sink):
    """Connects when there is something to send, and again after a fault."""

    name = "syslog"

    def __init__(self, section: SyslogSection) -> None:
        """Raises BadInputError for an address or a ca_file that cannot be one."""
        self._section = section
        self._host, self._port = read_address("syslog.address", section.address, lowest_port=1)
        self._context = tls_context(section.ca_file) if section.transport == "tls" else None
        self._own_name = socket.gethostname()
        self._socket: socket.socket | None = None
        self._sent: deque[tuple[float, bytes]] = deque(maxlen=MOST_IN_DOUBT)
        self._again: deque[bytes] = deque()
        self._selects = selector(section.events)

    def wants(self, event: Event) -> bool:
        """Return whether syslog.events selects it."""
        return self._selects(event)

    def emit(self, event: Event) -> None:
        """Send the event. Raises SinkError, final for an event that no datagram can hold."""
        found = message(event, self._own_name, self._section.facility, self._section.enterprise_id)
        if self._section.transport != "udp":
            self.tick()
            found = frame(found)
        elif len(found) > DATAGRAM_BYTES:
            raise SinkError(f"{event.type} of {len(found)} bytes is too long for a datagram", final=True)
        self._send(found)

    def tick(self) -> None:
        """Notice that a stream has ended, and send what may not have arrived. Raises SinkError."""
        if self._section.transport == "udp":
            return
        if self._socket is not None and self._has_ended(self._socket):
            self._break()
        while self._again:
            self._send(self._again[0])
            self._again.popleft()

    def tick_in_s(self) -> float:
        """Return the time until a stream's end is to be noticed."""
        return inf if self._section.transport == "udp" else CHECK_S

    def close(self) -> None:
        """Close the socket. May be called twice."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _send(self, data: bytes) -> None:
        try:
            self._connected().sendall(data)
        except OSError as error:
            self._break()
            raise SinkError(f"{self._section.transport} {self._section.address}: {reason(error)}") from error
        if self._section.transport != "udp":
            self._sent.append((time.monotonic(), data))

    def _break(self) -> None:
        """Close the stream; what was sent last may never have been read."""
        self.close()
        oldest = time.monotonic() - DOUBT_S
        self._again.extendleft(data for at, data in reversed(self._sent) if at >= oldest)
        self._sent.clear()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        timeout_s = self._section.timeout_s
        if self._section.transport == "udp":
            family, kind, _, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
            found = socket.socket(family, kind)
            found.settimeout(timeout_s)
            found.connect(address)
            return found
        found = socket.create_connection((self._host, self._port), timeout_s)
        if self._context is None:
            return found
        try:
            return self._context.wrap_socket(found, server_hostname=self._host)
        except OSError:
            found.close()
            raise

    def _has_ended(self, found: socket.socket) -> bool:
        """Return whether the receiver, which has nothing to say on this way, has closed it."""
        found.settimeout(0)
        try:
            return not found.recv(4096)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        finally:
            found.settimeout(self._section.timeout_s)
