"""Checks that a folder of evidence is as the program wrote it."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from monitor.store.seal import FORMAT, MANIFEST, SEAL, read_manifest, seal, sum_of

UNFINISHED = ".writing-"
"""How the name begins of a folder that is being written, or was when the program died."""


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """The result of checking one folder. difference: the first one found, or "". files: how many were checked. sealed:
    there is a seal."""

    folder: Path
    difference: str
    files: int
    sealed: bool


def folders(path: Path) -> list[Path]:
    """Return the folder itself where it is one of evidence, else those within it. Raises OSError."""
    if (path / MANIFEST).exists():
        return [path]
    return sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith(UNFINISHED))


def verify_folder(folder: Path, key: bytes | None = None) -> FolderCheck:
    """Compare what is there with the manifest; with a key the manifest with its seal."""
    files = 0
    difference = ""
    for difference in _differences(folder, key):
        if difference:
            break
        files += 1
    return FolderCheck(folder, difference, files, (folder / SEAL).exists())


def _differences(folder: Path, key: bytes | None) -> Iterator[str]:
    """Yield each file's difference; "" for a file that is as it was."""
    try:
        text = (folder / MANIFEST).read_bytes()
        manifest = read_manifest(folder)
    except FileNotFoundError:
        yield f"{MANIFEST} is missing"
        return
    except (OSError, ValueError) as error:
        yield f"{MANIFEST} is not a manifest: {error}"
        return
    if manifest["format"] != FORMAT:
        yield f"{MANIFEST} is of the format {manifest['format']!r}, which this version does not know"
    if broken_seal := _seal_difference(folder, key, text):
        yield broken_seal
    name = folder.resolve().name
    if manifest.get("folder", name) != name:
        yield f"renamed: the folder was written as {manifest['folder']}"
    listed = manifest["files"]
    assert isinstance(listed, dict)
    for name, facts in listed.items():
        yield _file_difference(folder, name, facts)
    expected = {*listed, MANIFEST, SEAL}
    for path in sorted(folder.iterdir()):
        if path.name not in expected:
            yield f"{path.name} was added"


def _seal_difference(folder: Path, key: bytes | None, text: bytes) -> str:
    if key is None:
        return ""
    try:
        found = (folder / SEAL).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return f"{SEAL} is missing: the manifest is not sealed"
    except (OSError, UnicodeDecodeError) as error:
        return f"{SEAL} cannot be read: {error}"
    if not hmac.compare_digest(found, seal(key, text)):
        return f"{MANIFEST} was changed, or sealed with another key"
    return ""


def _file_difference(folder: Path, name: object, facts: object) -> str:
    if not isinstance(name, str) or Path(name).name != name or not isinstance(facts, dict):
        return f"{MANIFEST} names {name!r}, which is not a file of this folder"
    path = folder / name
    try:
        if not S_ISREG(path.lstat().st_mode):
            return f"{name} is not a plain file"
        if path.stat().st_size != facts.get("bytes") or sum_of(path) != facts.get("sha256"):
            return f"{name} was changed"
    except FileNotFoundError:
        return f"{name} was removed"
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"
    return ""
