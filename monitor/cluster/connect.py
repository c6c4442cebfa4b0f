"""Starts Ray on this machine, or joins a cluster of it."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from monitor.config.addresses import is_loopback
from monitor.errors import BadInputError, SourceError

LOCAL, RUNNING = "local", "auto"
STORE_MIB = 128
"""The size of the shared memory in which Ray keeps what its processes hand each other."""
NAMESPACE = "monitor"
ANSWER_S = 5.0
DOCUMENTATION = "192.0.2.1"
"""An address that nobody has (RFC 5737)."""
_SETTINGS = 4
_HINT = f"name HOST:PORT of its head node, {RUNNING} for one on this machine, or {LOCAL} to start one"
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
_SILENT = {"RAY_BACKEND_LOG_LEVEL": "fatal"}
"""For a cluster that may not be joined, which Ray's core reports on standard error in its own way. Ray then says there
that it was asked to; with one that is started here there is nothing else to silence.
"""
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Makes Ray listen on 127.0.0.1 alone, as it does by itself on Windows and macOS."""
_LONG_TIMEOUT = {"RAY_agent_register_timeout_ms": "120000", "RAY_worker_register_timeout_seconds": "120"}
"""On a busy machine Ray's own processes take longer to start than Ray waits for them by itself."""

_LIVE = {
    "RAY_worker_niceness": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_max_direct_call_object_size": str(8 << 20),
}
"""For live calls. By itself Ray starts its workers with a niceness of 15, so that they would score last on a busy
machine; keeps a record of every call to them; and lays what is over 100 kB in shared memory before it says where it is,
which costs twice the processor time of sending it. Nodes that a cluster has already have settings of their own.
"""


@contextmanager
def joined(address: str, *, cpus: int | None = None, memory_mib: int = STORE_MIB, live: bool = False) -> Iterator[str]:
    """Be part of a cluster; one that was started here ends with it. Returns the address of its head node.

    address: "local" starts Ray on this machine, for this machine alone and without a dashboard, for so many processes
    (cpus; None: its cores) and with so much shared memory; "auto" joins one that runs here; HOST:PORT joins that of a
    head node. live: workers are to answer at once, many times a second. Raises BadInputError where Ray is not installed
    or nothing answers, and SourceError where it does not start.
    """
    check_address(address)
    settings = _QUIET | _LONG_TIMEOUT | (_LOOPBACK if address == LOCAL else _SILENT)
    if _listens_on_loopback_alone(address):
        settings |= _LOOPBACK
    for name, value in (settings | (_LIVE if live else {})).items():
        os.environ.setdefault(name, value)
    import ray

    _print_nothing()
    try:
        if address == LOCAL:
            ray.init(
                LOCAL,
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=memory_mib << 20,
                namespace=NAMESPACE,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
            )
        else:
            ray.init(address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:  # Ray names its faults by no class of their own
        raise _fault(address, error) from error
    try:
        yield ray.get_runtime_context().gcs_address
    finally:
        ray.shutdown()


def _fault(address: str, error: Exception) -> BadInputError | SourceError:
    said = str(error).partition("\n")[0]
    if address == LOCAL:
        return SourceError(f"Ray does not start on this machine: {said}", "its logs are in /tmp/ray")
    if "InvalidAuthToken" in f"{error} {error.__cause__}":
        hint = "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH as on its head node"
        return BadInputError(f"the Ray cluster at {address} wants another token", hint)
    return BadInputError(f"the Ray cluster at {address} cannot be joined: {said}", _HINT)


def _listens_on_loopback_alone(address: str) -> bool:
    """Return whether a head node is one that was started as "local", which Ray's driver must know in advance."""
    host, _, port = address.rpartition(":")
    if not is_loopback(host):
        return False
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outward:
            outward.connect((DOCUMENTATION, 9))  # sends nothing: the system says which address it would use
            own = outward.getsockname()[0]
        socket.create_connection((own, int(port)), ANSWER_S).close()
    except OSError:
        return True
    return False


def _print_nothing() -> None:
    """Silence Ray's driver, which writes what happens to its workers to standard output whatever log_to_driver says."""
    from ray._private import worker

    worker._worker_logs_enabled = False


def check_address(address: str) -> None:
    """Find out, without loading Ray, whether there may be a cluster at an address.

    Raises BadInputError. Ray itself tries an address at which nothing answers for many minutes.
    """
    if find_spec("ray") is None:
        raise BadInputError("--cluster needs the package ray", "pip install 'deepfake-speech-monitor[cluster]'")
    if address in (LOCAL, RUNNING):
        return
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536) or "/" in address:
        raise BadInputError(f"{address} is no address of a Ray cluster", _HINT)
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_S) as link:
            frame = link.recv(9, socket.MSG_WAITALL)
    except OSError as error:
        why = error.strerror or str(error) or "no answer"
        raise BadInputError(f"no Ray cluster answers at {address}: {why}", _HINT) from error
    if len(frame) < 9 or frame[3] != _SETTINGS:  # the first frame of any gRPC server (RFC 9113, section 3.4)
        raise BadInputError(f"what answers at {address} is no Ray cluster", _HINT)
