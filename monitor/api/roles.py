"""Who may do what by the API: keys with roles, and how often each may ask."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.config.api import ApiKey, Role

EVERY_ROLE = frozenset[Role](("view", "mark", "send"))


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Who asks. name: of the key; "" = the page's own token, or nobody where there is none."""

    name: str
    roles: frozenset[Role]


EVERYTHING = ApiCaller("", EVERY_ROLE)


def bearer(headers: Mapping[str, str]) -> str:
    """Return the bearer token of a request (RFC 6750), or ""."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class KeyRing:
    """The keys of [api]. Raises ConfigError for a secret that is not there, or too short."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._keys = []
        for key in keys:
            token = key.secret.reveal_token(f"the secret of the API key {key.name}")
            self._keys.append((_digest(token), ApiCaller(key.name, frozenset(key.roles))))

    def caller(self, token: str) -> ApiCaller | None:
        """Return whose key that is; takes as long for one that is nearly right."""
        digest, found = _digest(token), None
        for of_key, caller in self._keys:
            if hmac.compare_digest(digest, of_key):
                found = caller
        return found


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
