"""Fetching a corpus from a server on loopback that lists files as Zenodo does, breaks off, and lies."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

from training.cli.main import app
from training.corpora.clips import CorpusError
from training.corpora.fetch import RemoteFile, fetch
from training.corpora.layouts import load_corpus


def archive() -> bytes:
    """A little LibriSeVoc, packed."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        for name in ("gt/1_2.wav", "wavegrad/1_2_gen.wav"):
            packed.writestr(f"LibriSeVoc/{name}", np.random.default_rng(0).bytes(40_000))
    return held.getvalue()


class Server(BaseHTTPRequestHandler):
    """content: of the one file. breaks: answers that end after so many bytes. resumes: understands Range."""

    content = archive()
    md5 = hashlib.md5(content).hexdigest()
    breaks: ClassVar[list[int]] = []
    resumes = True
    ranges: ClassVar[list[str]] = []
    status = 200

    def do_GET(self) -> None:
        if self.path == "/record":
            where = f"http://127.0.0.1:{self.server.server_address[1]}/file"
            entry = {"key": "LibriSeVoc.zip", "size": len(self.content), "checksum": f"md5:{self.md5}"}
            self._answer(200, json.dumps({"files": [{**entry, "links": {"self": where}}]}).encode())
            return
        asked = self.headers.get("Range", "")
        self.ranges.append(asked)
        if self.status != 200:
            self._answer(self.status, b"")
            return
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.resumes else 0
        body = self.content[first:]
        self.send_response(206 if asked and self.resumes else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.breaks.pop(0)] if self.breaks else body)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(**how: object) -> Iterator[tuple[str, type[Server]]]:
    kind = type("Once", (Server,), {"ranges": [], **how})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/record", kind
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def get(record: str, out: Path) -> list[str]:
    result: list[str] = []
    fetch(record, out, result.append, wait=lambda _: None)
    return result


def test_a_download_that_breaks_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with serving(breaks=[30_000, 20_000]) as (record, server):
        get(record, tmp_path)
        assert server.ranges == ["", "bytes=30000-", "bytes=50000-"]
    assert [(c.path.name, c.label) for c in load_corpus(tmp_path / "LibriSeVoc")] == [
        ("1_2.wav", 0),
        ("1_2_gen.wav", 1),
    ]
    assert not list(tmp_path.glob("LibriSeVoc.zip*"))


def test_what_was_fetched_is_not_fetched_again(tmp_path: Path) -> None:
    with serving() as (record, server):
        get(record, tmp_path)
        assert "there already" in get(record, tmp_path)[-1]
        assert len(server.ranges) == 1


def test_another_run_goes_on_from_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "LibriSeVoc.zip.partial").write_bytes(Server.content[:1000])
    with serving() as (record, server):
        get(record, tmp_path)
        assert server.ranges == ["bytes=1000-"]
    assert (tmp_path / "LibriSeVoc/gt/1_2.wav").stat().st_size == 40_000


def test_a_server_that_cannot_resume_begins_again(tmp_path: Path) -> None:
    with serving(breaks=[30_000], resumes=False) as (record, _):
        get(record, tmp_path)
    assert (tmp_path / "LibriSeVoc/gt/1_2.wav").stat().st_size == 40_000


def test_a_damaged_file_is_removed_and_said(tmp_path: Path) -> None:
    with serving(md5="0" * 32) as (record, _), pytest.raises(CorpusError, match="came damaged"):
        get(record, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_server_that_never_goes_on_is_given_up_and_what_came_is_kept(tmp_path: Path) -> None:
    with serving(breaks=[30_000] + [0] * 20) as (record, _), pytest.raises(CorpusError, match="does not go on"):
        get(record, tmp_path)
    assert (tmp_path / "LibriSeVoc.zip.partial").stat().st_size == 30_000


def test_a_file_that_is_gone_is_said_at_once(tmp_path: Path) -> None:
    with serving(status=404) as (record, server), pytest.raises(CorpusError, match="404"):
        get(record, tmp_path)
    assert len(server.ranges) == 1


def test_a_file_larger_than_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = RemoteFile("x.zip", "http://127.0.0.1:1/", 10**18, "0" * 32)
    monkeypatch.setattr("training.corpora.fetch.files_of", lambda _: [huge])
    with pytest.raises(CorpusError, match=r"needs 1000000000.0 GB on the disk"):
        get("record", tmp_path)


def test_a_file_without_a_known_sum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = RemoteFile("x.zip", "http://127.0.0.1:1/", 10, "")
    monkeypatch.setattr("training.corpora.fetch.files_of", lambda _: [unknown])
    with pytest.raises(CorpusError, match=r"gives no sum of x\.zip"):
        get("record", tmp_path)


def test_the_command(tmp_path: Path) -> None:
    with serving() as (record, _):
        ran = CliRunner().invoke(app, ["fetch", "librisevoc", "--out", str(tmp_path), "--from", record])
    assert ran.exit_code == 0, ran.output
    assert "100% of 80 kB" in ran.output
    assert f"--corpus {tmp_path / 'LibriSeVoc'}" in ran.output


def test_an_unknown_corpus_lists_those_there_are() -> None:
    ran = CliRunner().invoke(app, ["fetch", "nothing"])
    assert isinstance(ran.exception, CorpusError)
    assert "librisevoc" in str(ran.exception)
