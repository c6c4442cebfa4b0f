"""Checks the host name of a request: guards every listener against web pages of other sites.

A browser lets any page open a connection to this machine, and says in Host what it believes to dial. An attacker's name
may be made to lead here (DNS rebinding); an address or a name of one's own may not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


def is_allowed_host(host: str, names: Iterable[str]) -> bool:
    """Return whether a Host header names this server: an address, localhost, or one of the names."""
    bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    if bare.lower() in ("localhost", *(name.lower() for name in names)):
        return True
    try:
        ipaddress.ip_address(bare.strip("[]"))
    except ValueError:
        return False
    return True
