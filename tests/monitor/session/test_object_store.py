"""Files in stores that an address names; fsspec's store in memory stands for one far away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from monitor.errors import BadInputError
from monitor.session.find_recordings import is_recording
from monitor.session.object_store import fetched, is_address, stored_files
from monitor.session.score_cluster import MOST_BYTES, MOST_FILES, Archive, ArchiveFile, tasks

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("pyarrow")


@pytest.fixture
def root() -> Iterator[str]:
    name = f"/{uuid4().hex}"
    store = fsspec.filesystem("memory")
    for path in ("b.wav", "a.wav", "list.txt", "2026/c.pcap.gz", "2026/.hidden.wav", ".tmp/d.wav"):
        store.pipe(f"{name}/{path}", path.encode())
    yield f"memory://{name}"
    store.rm(name, recursive=True)


def names(address: str) -> list[str]:
    return [file.name.partition("://")[2].split("/", 2)[2] for file in stored_files(address, is_recording)]


def test_a_folder_of_a_store_is_listed_with_all_below_it(root: str) -> None:
    assert is_address(root)
    assert names(root) == ["a.wav", "b.wav", "2026/c.pcap.gz"]


def test_a_file_of_a_store_may_have_any_name_and_a_pattern_matches_slashes(root: str) -> None:
    assert names(f"{root}/list.txt") == ["list.txt"]
    assert names(f"{root}/*.gz") == ["2026/c.pcap.gz"]
    assert names(f"{root}/20*/*") == ["2026/c.pcap.gz"]


def test_a_file_is_fetched_under_its_own_name_and_the_copy_goes(root: str) -> None:
    (file,) = stored_files(f"{root}/a.wav", is_recording)
    assert file.size == 5
    with fetched(file.store, file.name) as path:
        assert (path.name, path.read_bytes()) == ("a.wav", b"a.wav")
    assert not path.parent.exists()
    with pytest.raises(BadInputError, match="cannot be read"), fetched(file.store, f"{root}/none.wav"):
        pass


@pytest.mark.parametrize("word", ["nosuch://x/y", "memory:///nothing/there"])
def test_an_address_that_stands_for_nothing_is_refused(word: str) -> None:
    with pytest.raises(BadInputError, match=word.partition("?")[0]):
        Archive([word])


def test_an_archive_has_each_file_once_by_its_whole_name(root: str, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"123")
    (tmp_path / "y.txt").write_bytes(b"")
    archive = Archive([tmp_path, tmp_path / "x.wav", root, f"{root}/a.wav"])
    found = [(Path(file.name).name, file.size) for file in archive]
    assert found == [("x.wav", 3), ("a.wav", 5), ("b.wav", 5), ("c.pcap.gz", 14)]
    assert dict(archive.left_out) == {".txt": 2}
    assert next(iter(archive)).name == str(tmp_path / "x.wav")


def test_a_task_is_many_short_files_or_few_long_ones() -> None:
    short = [ArchiveFile(str(i), str(i), "", 1) for i in range(MOST_FILES + 1)]
    long = [ArchiveFile("long", "long", "", MOST_BYTES)] * 2
    assert [len(some) for some in tasks([*short, *long])] == [MOST_FILES, 2, 1]
