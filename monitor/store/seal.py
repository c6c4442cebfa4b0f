"""manifest.json: what a folder of evidence holds, with the SHA-256 sum of every file; and the seal upon it.

Sums alone show damage, and changes by somebody who did not make the sums again. With a secret key the manifest is
sealed by an HMAC (RFC 2104, SHA-256), which nobody can make again who does not have the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from monitor.errors import BadInputError

FORMAT = "monitor-evidence/1"
MANIFEST = "manifest.json"
SEAL = "manifest.hmac"
SHORTEST_KEY = 16
_READ = 1 << 20


def sum_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_READ):
            digest.update(data)
    return digest.hexdigest()


def manifest(folder: Path, facts: Mapping[str, object]) -> bytes:
    """Return the manifest of the files that are in a folder."""
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sum_of(path)}
        for path in sorted(folder.iterdir())
        if path.name not in (MANIFEST, SEAL)
    }
    return (json.dumps({"format": FORMAT, **facts, "files": files}, indent=1, ensure_ascii=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def is_evidence_folder(folder: Path) -> bool:
    """Return whether the program made this folder: its manifest says so."""
    try:
        return read_manifest(folder)["format"] == FORMAT
    except (OSError, ValueError):
        return False


def read_manifest(folder: Path) -> dict[str, object]:
    """Read the manifest of a folder. Raises OSError, and ValueError for what is not a manifest."""
    path = folder / MANIFEST
    if folder.is_symlink() or path.is_symlink():
        raise ValueError("a link")
    found = json.loads(path.read_bytes())
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict) or "format" not in found:
        raise ValueError("no manifest")
    return found


def seal(key: bytes, text: bytes) -> str:
    """Return the HMAC-SHA-256 of text, in hexadecimal."""
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def read_key(path: Path) -> bytes:
    """Return the secret in a file that nobody else may read, without its line end. Raises BadInputError."""
    try:
        mode = path.stat().st_mode
        key = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise BadInputError(f"cannot read the key {path}: {error.strerror}", "name a file with a secret") from error
    if sys.platform != "win32" and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadInputError(f"others may read the key {path}", f"keep it to yourself: chmod 600 {path}")
    if len(key) < SHORTEST_KEY:
        hint = f"make one: (umask 077; head -c 32 /dev/urandom | base64 > {path})"
        raise BadInputError(f"the key {path} has {len(key)} bytes, {SHORTEST_KEY} are the least", hint)
    return key
