"""HTTP message signatures as AudioHook makes them (draft-ietf-httpbis-message-signatures-11, which became RFC 9421).

A peer signs what it asks for, who it is and when with HMAC-SHA256 under the secret of its API key. Pure: seconds since
1970 come in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from monitor.taps.audiohook.fields import Bare, FieldError, InnerList, Item, parse_dictionary, serialize

COVERED = (
    "@request-target",
    "@authority",
    "audiohook-organization-id",
    "audiohook-session-id",
    "audiohook-correlation-id",
    "x-api-key",
)
"""The least that has to be signed."""
DERIVED: Mapping[str, str] = {"@request-target": "", "@authority": "host"}
"""Components that are no headers, and the header that they come from, if any."""
PARAMETERS: Mapping[str, type] = {"keyid": str, "nonce": str, "alg": str, "created": int, "expires": int}
ALGORITHM = "hmac-sha256"
OLDEST_S = 10
"""Age at which a signature is still taken."""
SKEW_S = 3
"""A peer's clock may be so far ahead of ours."""
SHORTEST_NONCE, LONGEST_NONCE = 22, 256
"""Characters; 22 of base64 are 128 bits."""
MOST_NONCES = 100_000
LABEL = "sig1"


class SignatureError(Exception):
    """A request that its signature does not prove; the text says why, and holds nothing that the peer wrote."""


@dataclass(frozen=True, slots=True)
class SignedSender:
    """The authenticated sender of a request."""

    organization: str
    session: str
    correlation: str


class Nonces:
    """Nonces already used, kept for as long as their signatures are valid; bounded."""

    def __init__(self, most: int = MOST_NONCES) -> None:
        self._most = most
        self._spent: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._spent)

    def spend(self, key: str, nonce: str, now: float) -> None:
        """Note that a nonce was used. Raises SignatureError for one that was used before, and when there is no room for
        another.
        """
        while self._spent and now > next(iter(self._spent.values())):
            self._spent.popitem(last=False)
        if (key, nonce) in self._spent:
            raise SignatureError("a signature that was used before")
        if len(self._spent) >= self._most:
            raise SignatureError("more signatures at once than can be remembered")
        self._spent[key, nonce] = now + OLDEST_S + SKEW_S


class SignatureVerifier:
    """keys: API key to client secret."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = keys
        self._nonces = Nonces()
        self._no_key = secrets.token_bytes(32)

    def verify(self, target: str, headers: Mapping[str, str], now: float) -> SignedSender:
        """Verify a request. target: path and query. headers: by names in lower case. Raises SignatureError."""
        inner, signature = _read(headers)
        parameters = _parameters(inner)
        base = signature_base(inner, target, headers)
        _check_covered(inner, headers)
        _check_time(parameters, now)
        key, nonce = headers["x-api-key"].strip(), parameters.get("nonce")
        if parameters.get("keyid") != key:
            raise SignatureError("a signature whose keyid is not the X-API-KEY")
        if not isinstance(nonce, str) or not SHORTEST_NONCE <= len(nonce) <= LONGEST_NONCE:
            raise SignatureError(f"a signature without a nonce of {SHORTEST_NONCE} characters or more")
        # An unknown key takes the same time as a wrong secret.
        right = hmac.compare_digest(signature, sign(self._keys.get(key, self._no_key), base))
        if key not in self._keys:
            raise SignatureError("an API key that taps.audiohook does not name")
        if not right:
            raise SignatureError("a signature under another secret, or of another request")
        self._nonces.spend(key, nonce, now)
        return SignedSender(*(headers[name].strip() for name in COVERED[2:5]))


def _read(headers: Mapping[str, str]) -> tuple[InnerList, bytes]:
    """Parse the signed components and the signature. Raises SignatureError."""
    for name in ("signature-input", "signature"):
        if not headers.get(name):
            raise SignatureError(f"no {name}")
    try:
        inputs, signatures = (parse_dictionary(headers[name]) for name in ("signature-input", "signature"))
    except FieldError as error:
        raise SignatureError("a signature that cannot be read") from error
    if len(inputs) != 1 or set(inputs) != set(signatures):
        raise SignatureError("not one signature with one input")
    ((label, inner),) = inputs.items()
    signature = signatures[label]
    if not isinstance(inner, InnerList) or not isinstance(signature, Item) or not isinstance(signature.value, bytes):
        raise SignatureError("a signature that cannot be read")
    return inner, signature.value


def _check_covered(inner: InnerList, headers: Mapping[str, str]) -> None:
    covered = {item.value for item in inner.items}
    for name in COVERED:
        if not name.startswith("@") and not headers.get(name, "").strip():
            raise SignatureError(f"no {name}")
        if name not in covered:
            raise SignatureError(f"a signature that does not cover {name}")


def _parameters(inner: InnerList) -> dict[str, Bare]:
    """Read the parameters of the signature. Raises SignatureError for one that is unknown or of the wrong type."""
    found = dict(inner.parameters)
    for name, value in found.items():
        if name not in PARAMETERS or type(value) is not PARAMETERS[name]:
            raise SignatureError("a signature with parameters that make no sense")
    if found.get("alg", ALGORITHM) != ALGORITHM:
        raise SignatureError("a signature of another kind than hmac-sha256")
    return found


def _check_time(parameters: Mapping[str, Bare], now: float) -> None:
    created, expires = parameters.get("created"), parameters.get("expires")
    if not isinstance(created, int):
        raise SignatureError("a signature that does not say when it was made")
    if created > now + SKEW_S:
        raise SignatureError("a signature from the future: compare the clocks")
    if now - created > OLDEST_S or (isinstance(expires, int) and expires < now):
        raise SignatureError("a signature that is too old")


def signature_base(inner: InnerList, target: str, headers: Mapping[str, str]) -> bytes:
    """Build the signature base, a line for each component (RFC 9421, section 2.5). Raises SignatureError."""
    lines: dict[str, str] = {}
    for item in inner.items:
        name = item.value
        if not isinstance(name, str) or item.parameters or name in lines:
            raise SignatureError("a signature of components that make no sense")
        lines[name] = _component(name, target, headers)
    text = [f"{serialize(Item(name))}: {value}" for name, value in lines.items()]
    return "\n".join([*text, f'"@signature-params": {serialize(inner)}']).encode("utf-8", "surrogatepass")


def _component(name: str, target: str, headers: Mapping[str, str]) -> str:
    """Return its value. Raises SignatureError."""
    if name.startswith("@") and name not in DERIVED:
        raise SignatureError("a signature of components that make no sense")
    value = target if name == "@request-target" else headers.get(DERIVED.get(name, name), "").strip()
    if not value:
        raise SignatureError(f"no {name}" if name in COVERED else "a signature of headers that are not there")
    if not value.isprintable():
        raise SignatureError("headers with characters that cannot be printed")
    return value.lower() if name == "@authority" else value


def sign(secret: bytes, base: bytes) -> bytes:
    """Sign by HMAC-SHA256: 32 bytes."""
    return hmac.digest(secret, base, hashlib.sha256)


def signed_headers(
    key: str, secret: bytes, target: str, headers: Mapping[str, str], nonce: str, created: int, lifetime_s: int = 30
) -> dict[str, str]:
    """Return the headers Signature and Signature-Input of a request, as a peer makes them."""
    parameters = (("keyid", key), ("nonce", nonce), ("alg", ALGORITHM), ("created", created))
    inner = InnerList(tuple(Item(name) for name in COVERED), (*parameters, ("expires", created + lifetime_s)))
    signature = base64.b64encode(sign(secret, signature_base(inner, target, headers))).decode()
    return {"signature-input": f"{LABEL}={serialize(inner)}", "signature": f"{LABEL}=:{signature}:"}
