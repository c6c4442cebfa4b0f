"""Files that an address names, such as s3://bucket/calls: listed, and fetched one by one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from monitor.errors import BadInputError

_HINT = "check the address, the credentials in the environment, and that the store can be reached"
FileSystem = Any
"""A pyarrow.fs.FileSystem."""


class StoredFile(NamedTuple):
    """store: the address that opens its store. name: its own, without credentials and options. size: bytes."""

    store: str
    name: str
    size: int


def is_address(argument: str | Path) -> bool:
    """Return whether an argument names something in an object store, and no path of this machine."""
    return "://" in str(argument)


@lru_cache(maxsize=16)
def open_store(address: str) -> tuple[FileSystem, str]:
    """Return the file system of an address, and the path within it.

    pyarrow knows s3, gs, hdfs and file, with options behind a question mark; what else fsspec knows, it opens. Raises
    BadInputError.
    """
    import fsspec
    from pyarrow import ArrowException
    from pyarrow.fs import FileSystem as Arrow
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        try:
            found: tuple[FileSystem, str] = Arrow.from_uri(address)
            return found
        except ArrowException:
            other, path = fsspec.core.url_to_fs(address)
            return PyFileSystem(FSSpecHandler(other)), path
    except (ArrowException, OSError, ValueError, ImportError) as error:
        raise BadInputError(f"{_public(address)} cannot be opened: {error}", _HINT) from error


def _public(address: str) -> str:
    """Return an address without its options and credentials."""
    scheme, _, rest = address.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def stored_files(address: str, taken: Callable[[str], bool]) -> Iterator[StoredFile]:
    """Yield the files that an address stands for, by name: itself, those below it, or those that match its pattern.

    taken: of those below it, whether a file of this name is one. A * of a pattern matches slashes, too. The names of
    one folder are held at a time. Raises BadInputError where there is nothing, or the store does not answer.
    """
    from pyarrow.fs import FileType

    place, mark, options = address.partition("?")
    folder = place[: place.index("*")].rpartition("/")[0] if "*" in place else place
    address = folder + mark + options
    store, path = open_store(address)
    scheme, wanted = folder.partition("://")[0], path + place[len(folder) :]
    try:
        (info,) = store.get_file_info([path])
        if info.type == FileType.File:
            yield StoredFile(address, f"{scheme}://{path}", info.size)
        elif info.type == FileType.NotFound:
            raise BadInputError(f"there is nothing at {_public(address)}", _HINT)
        else:
            for found in _below(store, path):
                if fnmatchcase(found.path, wanted) if folder != place else taken(found.base_name):
                    yield StoredFile(address, f"{scheme}://{found.path}", found.size)
    except OSError as error:
        raise BadInputError(f"{_public(address)} cannot be listed: {error}", _HINT) from error


def _below(store: FileSystem, folder: str) -> Iterator[Any]:
    from pyarrow.fs import FileSelector, FileType

    inside = [info for info in store.get_file_info(FileSelector(folder)) if not info.base_name.startswith(".")]
    inside.sort(key=lambda info: str(info.path))
    yield from (info for info in inside if info.type == FileType.File)
    for info in inside:
        if info.type == FileType.Directory:
            yield from _below(store, info.path)


@contextmanager
def fetched(store: str, name: str) -> Iterator[Path]:
    """Copy a StoredFile to this machine while it is needed; the copy has the name of the file itself.

    Raises BadInputError.
    """
    files, path = open_store(store)[0], name.partition("://")[2]
    with TemporaryDirectory(prefix="monitor-") as folder:
        copy = Path(folder, path.rpartition("/")[2])
        try:
            with files.open_input_stream(path) as source, copy.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
        except OSError as error:
            raise BadInputError(f"{name} cannot be read: {error}", _HINT) from error
        yield copy
