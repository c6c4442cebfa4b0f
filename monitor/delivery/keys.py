"""CURVE keys as files: one secret for the publisher, one public key for each subscriber that it allows.

KEYS/server.key, server.key_secret      the publisher's
KEYS/allowed/NAME.key                   public keys of subscribers
KEYS/NAME.key, NAME.key_secret          pairs that 'monitor keys new NAME' made, to be handed to their owners

The files are those of ZeroMQ (ZPL, https://rfc.zeromq.org/spec/4/), as czmq and pyzmq read them; unlike those of
zmq.auth.create_certificates, secret ones are readable by their owner alone from the start.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import BadInputError

SERVER = "server"
ALLOWED = "allowed"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FIELD = re.compile(r'^\s*(public|secret)-key\s*=\s*"([^"]{40})"\s*$', re.MULTILINE)
_Z85 = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


@dataclass(frozen=True)
class KeyPair:
    """Keys in Z85, 40 characters each. secret: "" where only the public one is known."""

    public: str
    secret: str = ""


def new(folder: Path, name: str = SERVER) -> tuple[Path, Path]:
    """Make a pair; returns the public and the secret file. Raises BadInputError where there is one of that name."""
    import zmq

    _check_name(name)
    _make_private(folder)
    public, secret = (key.decode() for key in zmq.curve_keypair())
    files = folder / f"{name}.key", folder / f"{name}.key_secret"
    for path in files:
        if path.exists():
            raise BadInputError(f"{path} is there already", "delete it first if its key is to be replaced")
    _write(files[1], f'curve\n    public-key = "{public}"\n    secret-key = "{secret}"\n', 0o600)
    _write(files[0], f'curve\n    public-key = "{public}"\n', 0o644)
    return files


def allow(folder: Path, key: str, name: str = "") -> tuple[str, str]:
    """Let a public key in (a file, or the key itself); returns its name and the key. Raises BadInputError."""
    public = public_key(key)
    name = name or (Path(key).stem if not _Z85.fullmatch(key) else "")
    if not name:
        raise BadInputError("a key alone has no name", "give it one: --name NAME")
    _check_name(name)
    _make_private(folder)
    (folder / ALLOWED).mkdir(mode=0o700, exist_ok=True)
    path = folder / ALLOWED / f"{name}.key"
    if path.exists():
        raise BadInputError(f"{name} is allowed already", f"revoke it first: monitor keys revoke {name}")
    _write(path, f'curve\n    public-key = "{public}"\n', 0o644)
    return name, public


def revoke(folder: Path, name: str) -> None:
    """Let it in no more. Raises BadInputError for a name that is not allowed."""
    _check_name(name)
    try:
        (folder / ALLOWED / f"{name}.key").unlink()
    except FileNotFoundError as error:
        raise BadInputError(f"{name} is not allowed in {folder}", "monitor keys list names those that are") from error


def allowed(folder: Path) -> dict[str, str]:
    """Name and public key of all that are let in. Raises BadInputError for a file that holds none."""
    return {path.stem: read(path).public for path in sorted((folder / ALLOWED).glob("*.key"))}


def readable(folder: Path) -> dict[str, str]:
    """Return allowed() without the files that hold no key, for a publisher that runs."""
    found = {}
    for path in sorted((folder / ALLOWED).glob("*.key")):
        with contextlib.suppress(BadInputError):
            found[path.stem] = read(path).public
    return found


def server(folder: Path) -> KeyPair:
    """Return the publisher's own. Raises BadInputError."""
    path = folder / f"{SERVER}.key_secret"
    if not path.exists():
        raise BadInputError(f"there is no {path}", f"make the publisher's keys: monitor keys new --keys {folder}")
    pair = read(path)
    if not pair.secret:
        raise BadInputError(f"{path} holds no secret key", "monitor keys new makes one")
    return pair


def secret_pair(path: Path) -> KeyPair:
    """Return a subscriber's own. Raises BadInputError."""
    pair = read(path)
    if not pair.secret:
        raise BadInputError(f"{path} holds no secret key", "name the file that ends in .key_secret")
    return pair


def public_key(key: str) -> str:
    """Read the public key in a file, or the key itself (Z85, 40 characters). Raises BadInputError."""
    return key if _Z85.fullmatch(key) and not Path(key).exists() else read(Path(key)).public


def read(path: Path) -> KeyPair:
    """Read a key file. Raises BadInputError: not there, no keys, or a secret that others can read."""
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise BadInputError(f"key {path}: {reason}", "name a file that 'monitor keys new' made") from error
    found = dict(_FIELD.findall(text))
    if not all(_Z85.fullmatch(found.get(part, "")) for part in ("public", *(["secret"] if "secret" in found else []))):
        raise BadInputError(f"key {path}: holds no CURVE key", "name a file that 'monitor keys new' made")
    if "secret" in found and sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadInputError(f"key {path}: others can read the secret", f"run: chmod 600 {path}")
    return KeyPair(found["public"], found.get("secret", ""))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadInputError(f"{name!r} is not a valid key name", "use letters, digits, '.', '-' and '_', at most 64")


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"keys {folder}: {error.strerror}", "name another folder with --keys") from error


def _write(path: Path, text: str, mode: int) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise BadInputError(f"key {path}: {error.strerror}", "name another folder with --keys") from error
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        os.fchmod(fd, mode)
        file.write(text)
        file.flush()
        os.fsync(fd)
