"""Binds the publisher's addresses, and says what is wrong with one that cannot be bound."""

from __future__ import annotations

import zmq

from monitor.errors import BadInputError

AUTO = "auto"

Socket = zmq.Socket[bytes]


def bind(socket: Socket, address: str, option: str) -> str:
    """Bind a socket. Returns the address, with its port where the system chose one. Raises BadInputError.

    option: which the address comes from.
    """
    try:
        socket.bind(address)
        return socket.getsockopt_string(zmq.LAST_ENDPOINT)
    except (zmq.ZMQError, ValueError) as error:
        raise _refused(address, option, error) from error


def bind_replay(socket: Socket, replay: str, events: str) -> str:
    """Bind the socket of requests, as bind() does. replay: its address, or AUTO: next to that of events."""
    option = "zeromq.replay_address"
    if replay != AUTO:
        return bind(socket, replay, option)
    if events.startswith("ipc://"):
        return bind(socket, f"{events}-replay", option)
    host, _, port = events.rpartition(":")
    try:
        return bind(socket, f"{host}:{int(port) + 1}", option)
    except BadInputError:  # subscribers learn the address from the heartbeats, so that any other will do
        return bind(socket, f"{host}:*", option)


def _refused(address: str, option: str, error: Exception) -> BadInputError:
    other = "choose another with --publish tcp://127.0.0.1:5566, or turn it off with --no-publish"
    if not option.startswith("--"):
        other = f"choose another with {option}, or set it to auto"
    if isinstance(error, zmq.ZMQError) and error.errno == zmq.EADDRINUSE:
        return BadInputError(f"{address} is taken: another monitor, or another program, listens there", other)
    reason = zmq.strerror(error.errno or 0) if isinstance(error, zmq.ZMQError) else str(error)
    return BadInputError(f"cannot publish on {address}: {reason}", f"use an address of this machine: {other}")
