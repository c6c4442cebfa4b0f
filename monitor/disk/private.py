"""Files and folders for their owner alone (modes 0600 and 0700), whatever the umask of the process.

What exists already keeps the mode that its owner gave it.
"""

from __future__ import annotations

import os
from pathlib import Path

FILE, FOLDER = 0o600, 0o700
BINARY: int = getattr(os, "O_BINARY", 0)


def open_private(path: Path, flags: int) -> int:
    """Return a descriptor of a file, which is made where it is missing. flags: as for os.open. Raises OSError."""
    try:
        fd = os.open(path, flags | BINARY | os.O_CREAT | os.O_EXCL, FILE)
    except FileExistsError:
        # Without O_EXCL a name may be a link, a pipe or /dev/stdout, all of which are fine here.
        return os.open(path, flags | BINARY | os.O_CREAT, FILE)
    if hasattr(os, "fchmod"):
        os.fchmod(fd, FILE)
    return fd


def write_private(path: Path, data: bytes) -> None:
    """Replace what a file holds. Raises OSError."""
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_TRUNC), "wb") as file:
        file.write(data)


def append_private(path: Path, data: bytes) -> None:
    """Add to the end of a file. Raises OSError."""
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
        file.write(data)


def make_folder(path: Path) -> None:
    """Make a folder that is missing, and those above it. Raises OSError; one that exists is left as it is."""
    try:
        path.mkdir(FOLDER, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    path.chmod(FOLDER)
