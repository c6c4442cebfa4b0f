"""What the monitor writes is for its owner alone, whatever the umask; what exists keeps its mode."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.disk.private import append_private, make_folder, open_private, write_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.usefixtures("umask")
def test_new_files_and_folders_are_private(tmp_path: Path) -> None:
    os.close(open_private(tmp_path / "opened", os.O_RDWR | os.O_APPEND))
    write_private(tmp_path / "written", b"1")
    append_private(tmp_path / "appended", b"1")
    append_private(tmp_path / "appended", b"2")
    assert [mode(tmp_path / name) for name in ("opened", "written", "appended")] == [0o600] * 3
    assert (tmp_path / "appended").read_bytes() == b"12"


def test_new_folders_are_private_and_those_that_exist_keep_their_mode(tmp_path: Path) -> None:
    make_folder(tmp_path / "above" / "folder")
    assert mode(tmp_path / "above" / "folder") == 0o700
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o750)
    make_folder(tmp_path / "shared")
    assert mode(tmp_path / "shared") == 0o750
    write_private(tmp_path / "file", b"")
    (tmp_path / "file").chmod(0o640)
    write_private(tmp_path / "file", b"again")
    assert mode(tmp_path / "file") == 0o640
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")
