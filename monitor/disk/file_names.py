"""File names made of names that peers choose. Pure."""

from __future__ import annotations

import re
from hashlib import sha256

LONGEST_BYTES = 48
"""UTF-8 bytes of one part. Two parts, the time and what a draft adds stay below 143 bytes, the least that a common
file system allows (eCryptfs); most allow 255 (NAME_MAX)."""
HASH_DIGITS = 8
_UNSAFE = re.compile(r"[^\w-]")


def file_part(name: str) -> str:
    """Return part of a file name: letters of any script, digits, "-" and "_", at most LONGEST_BYTES in UTF-8.

    A name that is too long is cut and ends in the beginning of its SHA-256, so that two long names stay apart. The name
    itself belongs in a manifest.
    """
    safe = _UNSAFE.sub("_", name) or "_"
    raw = safe.encode()
    if len(raw) <= LONGEST_BYTES:
        return safe
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_DIGITS]
    return f"{raw[: LONGEST_BYTES - HASH_DIGITS - 1].decode(errors='ignore')}-{digest}"
