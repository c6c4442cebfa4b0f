"""The API keys of AudioHook clients and their secrets, from the settings and from a file that its owner alone reads."""

from __future__ import annotations

import base64
import binascii
import sys
from pathlib import Path

from monitor.config.taps import AudiohookSection
from monitor.errors import BadInputError

SHORTEST = 16
"""Bytes of a secret."""
OTHERS = 0o077
"""Permissions of a file for all but its owner."""


def read_keys(section: AudiohookSection) -> dict[str, bytes]:
    """Read API keys and their secrets. Raises BadInputError, which shows no secret."""
    found = {key: _secret(text.reveal(), f"taps.audiohook.keys: {key}") for key, text in section.keys.items()}
    return found | (_read_file(Path(section.keys_file)) if section.keys_file else {})


def _read_file(path: Path) -> dict[str, bytes]:
    where = f"taps.audiohook.keys_file: {path}"
    try:
        if sys.platform != "win32" and path.stat().st_mode & OTHERS:
            raise BadInputError(f"{where} can be read by others", f"chmod 600 {path}")
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise BadInputError(f"{where} cannot be read: {error.strerror}", "name a file that you can read") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{where} is not text in UTF-8", "write an API key and its secret on each line") from error
    found = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise BadInputError(f"{where}, line {number}, is not a key", "write an API key, a space, and its secret")
        found[words[0]] = _secret(words[1], f"{where}, line {number}")
    return found


def _secret(text: str, where: str) -> bytes:
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInputError(f"{where}: the secret is not base64", "write it as in Genesys Cloud") from error
    if len(secret) < SHORTEST:
        raise BadInputError(
            f"{where}: the secret is shorter than {SHORTEST} bytes", "make one with: openssl rand -base64 32"
        )
    return secret
