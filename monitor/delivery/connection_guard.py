"""The thread that ends connections which send too much, also while libzmq keeps the publisher's own thread busy."""

from __future__ import annotations

import threading
import time
from collections import Counter

import zmq

from monitor.delivery.connections import ConnectionLimits, Connections
from monitor.delivery.socket_events import read_socket_event
from monitor.limits.descriptors import DESCRIPTORS

CHECK_MS, IDLE_MS = 50, 1000
"""While there are connections, and without any. A flood of subscriptions has brought a few hundred kB by then."""
FAILURES = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
EVENTS = FAILURES | zmq.EVENT_ACCEPTED | zmq.EVENT_ACCEPT_FAILED | zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED

Socket = zmq.Socket[bytes]


class ConnectionGuard:
    """Watches one socket from its binding to close()."""

    def __init__(self, socket: Socket, limits: ConnectionLimits) -> None:
        self._socket = socket
        self._monitor = socket.get_monitor_socket(EVENTS)
        self._connections = Connections(limits, DESCRIPTORS.have_room)
        self._failed: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="connection-guard", daemon=True)
        self._thread.start()

    def refused(self) -> Counter[str]:
        """Count connections that were turned away or ended, by reason. Any thread may ask."""
        with self._lock:
            return self._failed + self._connections.cut

    def cut_largest(self, why: str) -> bool:
        """End the connection that has sent most. Returns False where nobody knows which one that is."""
        with self._lock:
            self._connections.count_received()
            return self._connections.cut_largest(why) > 0

    def close(self) -> None:
        """End the thread; called by the thread of the socket, before that is closed."""
        self._ended.set()
        self._socket.disable_monitor()  # which wakes the thread
        self._thread.join()
        self._monitor.close(0)

    def _run(self) -> None:
        while not self._ended.is_set():
            arrived = self._monitor.poll(CHECK_MS if len(self._connections) else IDLE_MS)
            with self._lock:
                while arrived:
                    self._take()
                    arrived = self._monitor.poll(0)
                self._connections.check(time.monotonic())

    def _take(self) -> None:
        """Process one event of the socket monitor."""
        event, value = read_socket_event(self._monitor)
        if event == zmq.EVENT_ACCEPTED:
            self._connections.accepted(value, time.monotonic())
        elif event == zmq.EVENT_DISCONNECTED:
            self._connections.gone(value)
        elif event == zmq.EVENT_ACCEPT_FAILED:
            self._failed["too few file descriptors"] += 1
        elif event != zmq.EVENT_MONITOR_STOPPED:
            known = event == zmq.EVENT_HANDSHAKE_FAILED_AUTH
            self._failed["key not allowed" if known else "handshake"] += 1
