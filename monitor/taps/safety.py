"""Who may reach a listener: loopback always, the network only behind a secret, a certificate, or the user's word."""

from __future__ import annotations

import ipaddress

from monitor.errors import BadInputError


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address. A name other than localhost counts as the network."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_reach(
    what: str, host: str, *, secured: bool, insecure: bool, secure_by: str, allow: str = "serve.insecure"
) -> None:
    """Raises BadInputError for an address of the network that nothing protects.

    what: the setting that names it. secured: it has what protects it. secure_by: what would, in words.
    allow: the setting that lifts this.
    """
    if secured or insecure or is_loopback(host):
        return
    hint = f"{secure_by}, or say --insecure ({allow} = true) where the network itself is trusted"
    raise BadInputError(f"{what}: {host} can be reached by other machines, and nothing protects it", hint)
