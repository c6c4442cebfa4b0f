"""Checks of listening addresses: loopback is always allowed, the network with a secret, a certificate or --insecure."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from monitor.errors import BadInputError

if TYPE_CHECKING:
    import ssl


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address. A name other than localhost counts as the network."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_known(host: str) -> bool:
    """Return whether a host name has an address, or is one."""
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return True


def check_reach(
    what: str, host: str, *, secured: bool, insecure: bool, secure_by: str, allow: str = "serve.insecure"
) -> None:
    """Refuse an address of the network that nothing protects, by BadInputError.

    what: the setting that names it. secured: it has what protects it. secure_by: what would, in words. allow: the
    setting that lifts this.
    """
    if secured or insecure or is_loopback(host):
        return
    if not is_known(host):
        raise BadInputError(f"{what}: the host {host} is not known", "check the name, or write an IP address")
    hint = f"{secure_by}, or say --insecure ({allow} = true) where the network itself is trusted"
    raise BadInputError(f"{what}: {host} can be reached by other machines, and nothing protects it", hint)


def split_host(text: str) -> tuple[str, str]:
    """Split HOST:REST at the last colon. host: an IPv6 address without its brackets; "" where text has no host, or half
    a bracket.
    """
    host, _, rest = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    return ("" if "[" in bare or "]" in bare else bare), rest


def read_address(what: str, text: str, lowest_port: int = 0) -> tuple[str, int]:
    """Read HOST:PORT, with an IPv6 host in brackets. what: the setting that names it. Raises BadInputError."""
    host, port = split_host(text)
    if not host or not (port.isascii() and port.isdigit() and lowest_port <= int(port) < 65_536):
        raise BadInputError(f"{what}: {text!r} is not an address", "write HOST:PORT, such as 127.0.0.1:8765")
    return host, int(port)


def read_certificate(section: str, certificate: str, key: str) -> ssl.SSLContext | None:
    """Load the certificate chain and key (PEM files) of a section of the settings; None where it names none.
    key: "" = in the same file. Raises BadInputError.
    """
    if not certificate:
        return None
    import ssl  # here, since nobody else needs it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key or None, password=_no_password)
    except (OSError, ValueError) as error:  # of ssl, too
        raise BadInputError(
            f"{section}.certificate: {certificate} cannot be used: {getattr(error, 'strerror', None) or error}",
            f"name PEM files: a certificate chain, and in {section}.key its private key without a password",
        ) from error
    return context


def _no_password() -> str:
    """Refuse a password, instead of a question at the terminal."""
    raise ValueError("the key has a password")
