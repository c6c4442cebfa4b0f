"""A file out of a form, and forms that cannot be taken."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.api.upload import FORM_BYTES, BadFormError, receive_file

TYPE = "multipart/form-data; boundary=limit"
PART = b'--limit\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
END = b"--limit--\r\n"


def receive(path: Path, body: bytes, most: int = 1 << 20, step: int = 7, kind: str = TYPE) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), step):
            yield body[at : at + step]

    return asyncio.run(receive_file(kind, pieces(), path, most))


@pytest.mark.parametrize("step", [1, 13, 10_000])
def test_the_file_is_written_as_it_was_sent(tmp_path: Path, step: int) -> None:
    data = os.urandom(500) + b"\r\n--limi" + os.urandom(100)
    body = PART % (b"other", b"x", b"y") + PART % (b"file", b"../../my call.wav", data) + END
    assert receive(tmp_path / "upload", body, step=step) == "../../my call.wav"
    assert (tmp_path / "upload").read_bytes() == data
    assert os.name == "nt" or (tmp_path / "upload").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"RIFF", "audio/wav", "send a form"),
        (b"RIFF", "multipart/form-data", "send a form"),
        (b"RIFF", TYPE, "damaged"),
        (PART % (b"other", b"x", b"y") + END, TYPE, "no whole part called 'file'"),
        (PART % (b"file", b"x", b"y"), TYPE, "no whole part"),
        ((PART % (b"file", b"x", b"y")) * 2 + END, TYPE, "more than one part"),
        (b"--limit\r\nA: " + b"x" * 9000 + b"\r\n\r\n\r\n" + END, TYPE, "damaged"),
    ],
)
def test_forms_that_cannot_be_taken(tmp_path: Path, body: bytes, kind: str, said: str) -> None:
    with pytest.raises(BadFormError, match=said):
        receive(tmp_path / "upload", body, kind=kind, step=100)


def test_a_form_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    body = PART % (b"file", b"x", bytes(FORM_BYTES + 2000)) + END
    with pytest.raises(BadFormError, match=r"api\.max_upload_mib") as found:
        receive(tmp_path / "upload", body, most=1000, step=1000)
    assert found.value.too_large
