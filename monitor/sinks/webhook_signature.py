"""The signature of a webhook by the Standard Webhooks specification. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac

SECRET_PREFIX = "whsec_"


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the Standard Webhooks signature (standardwebhooks.com): v1, and HMAC-SHA256 in Base64.

    secret: any text, or whsec_ and Base64. timestamp: seconds since 1970. Raises ValueError for Base64 that is none.
    """
    key = secret.encode()
    if secret.startswith(SECRET_PREFIX):
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
