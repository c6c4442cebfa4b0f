"""The events of a socket's connections, from libzmq (https://libzmq.readthedocs.io, zmq_socket_monitor)."""

from __future__ import annotations

import struct

import zmq


def read_socket_event(monitor: zmq.Socket[bytes]) -> tuple[int, int]:
    """Return the event and the value of the message that waits at a socket's monitor.

    As zmq.utils.monitor does, which loads asyncio, 3 MiB, for it. Raises zmq.ZMQError.
    """
    event, value = struct.unpack("=hi", monitor.recv_multipart()[0])
    return event, value
