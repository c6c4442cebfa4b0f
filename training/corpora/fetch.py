"""training fetch: public corpora from Zenodo, resumed where a connection broke off, checked, unpacked.

Zenodo's REST API (https://developers.zenodo.org, records) lists a record's files with size and MD5.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from training.corpora.clips import CorpusError
from training.corpora.work_progress import Log

RECORDS: Mapping[str, str] = {"librisevoc": "https://zenodo.org/api/records/15127251"}
"""LibriSeVoc (Sun et al., "AI-Synthesized Voice Detection Using Neural Vocoder Artifacts", 2023)."""

PIECE = 1 << 20
TIMEOUT_S = 30.0
ATTEMPTS = 8
"""Attempts in a row without a byte of progress, before it is given up."""
LOG_EVERY_S = 5.0
Broken = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class RemoteFile:
    """size: bytes. md5: in hexadecimal digits, "" = not known."""

    name: str
    url: str
    size: int
    md5: str


def files_of(record: str) -> list[RemoteFile]:
    """List the files of a Zenodo record. Raises CorpusError."""
    try:
        with urllib.request.urlopen(record, timeout=TIMEOUT_S) as answer:
            listed = json.load(answer)["files"]
        return [_remote(entry) for entry in listed]
    except Broken as error:
        raise CorpusError(f"{record} cannot be reached: {error}; check the connection, and try again") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{record} is not a record of Zenodo's") from error


def _remote(entry: Mapping[str, Any]) -> RemoteFile:
    kind, _, digest = str(entry.get("checksum", "")).partition(":")
    name = Path(str(entry["key"])).name
    return RemoteFile(name, str(entry["links"]["self"]), int(entry["size"]), digest if kind == "md5" else "")


def fetch(
    record: str, out: Path, log: Log, wait: Callable[[float], None] = time.sleep, *, unverified: bool = False
) -> None:
    """Download and unpack the files of a record into out; what is there already is left. Raises CorpusError.

    unverified: take files whose sum the record does not give, too.
    """
    out.mkdir(parents=True, exist_ok=True)
    for file in files_of(record):
        done = out / f".{file.name}.done"
        if done.exists():
            log(f"{file.name}: there already")
            continue
        if not file.md5 and not unverified:
            raise CorpusError(f"{record} gives no sum of {file.name}; --unverified takes it nevertheless")
        path = download(file, out, log, wait)
        if path.suffix == ".zip":
            unpack(path, out, log)
            path.unlink()
        done.touch()


def download(file: RemoteFile, out: Path, log: Log, wait: Callable[[float], None]) -> Path:
    """Fetch one file, whole and checked. Raises CorpusError."""
    path, partial = out / file.name, out / f"{file.name}.partial"
    free = shutil.disk_usage(out).free
    held = partial.stat().st_size if partial.exists() else 0
    if file.size - held > free:
        raise CorpusError(f"{file.name} needs {_size(file.size - held)} on the disk, and {_size(free)} are free")
    failed = 0
    while held < file.size:
        try:
            _resume(file, partial, log)
        except Broken as error:
            if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410):
                raise CorpusError(f"{file.url}: {error}") from error
            log(f"{file.name}: {error or type(error).__name__}; trying again")
        now = partial.stat().st_size if partial.exists() else 0
        failed = 0 if now > held else failed + 1
        held = now
        if failed == ATTEMPTS:
            raise CorpusError(f"{file.name}: the server does not go on; what came is kept, so try again later")
        if held < file.size:
            wait(min(2.0**failed, 60.0))
    _check(file, partial)
    partial.replace(path)
    return path


def _resume(file: RemoteFile, partial: Path, log: Log) -> None:
    """Go on behind what is there already; from the start where the server cannot (RFC 9110, section 14)."""
    held = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={held}-"} if held else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        with partial.open("ab" if goes_on else "wb") as target:
            _copy(answer, target, file, held if goes_on else 0, log)


def _copy(answer: http.client.HTTPResponse, target: IO[bytes], file: RemoteFile, held: int, log: Log) -> None:
    begun, first, logged_at = time.monotonic(), held, float("-inf")
    while piece := answer.read1(PIECE):
        target.write(piece[: file.size - held])
        held = min(file.size, held + len(piece))
        now = time.monotonic()
        if now - logged_at > LOG_EVERY_S or held == file.size:
            logged_at = now
            left = (now - begun) / max(held - first, 1) * (file.size - held) / 60
            log(f"{file.name}: {held / file.size:.0%} of {_size(file.size)}, {left:.0f} min left")


def _check(file: RemoteFile, partial: Path) -> None:
    if not file.md5:
        return
    with partial.open("rb") as data:
        found = hashlib.file_digest(data, "md5").hexdigest()
    if found != file.md5:
        partial.unlink()
        raise CorpusError(f"{file.name} came damaged (MD5 {found}, not {file.md5}); it was removed: fetch it again")


def unpack(path: Path, out: Path, log: Log) -> None:
    """Extract everything in a zip file, below out. Raises CorpusError."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for done, member in enumerate(members, 1):
                archive.extract(member, out)  # which keeps names with .. and / below out
                if done % 5000 == 0 or done == len(members):
                    log(f"{path.name}: {done} of {len(members)} files unpacked")
    except zipfile.BadZipFile as error:
        raise CorpusError(f"{path} is not a zip file: {error}") from error


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
