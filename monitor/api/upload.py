"""A file out of a form (multipart/form-data, RFC 7578), written to disk as it comes and never held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from monitor.disk.private import write_private

FIELD = "file"
FORM_BYTES = 1 << 16
"""The most bytes of a form beside the file itself."""
BUFFER = 1 << 20
IDLE_S = 30.0
"""A sender from which nothing comes for so long is gone."""


class BadFormError(Exception):
    """A form that cannot be taken; the text says why. too_large: for its size."""

    def __init__(self, reason: str, *, too_large: bool = False) -> None:
        super().__init__(reason)
        self.too_large = too_large


class _FormReader:
    """Writes the part called FIELD to a file. filename: as the sender named it, to be shown only."""

    def __init__(self, boundary: bytes, path: Path) -> None:
        write_private(path, b"")
        self.filename = ""
        self.files = 0
        self.ended = False
        self._out = path.open("ab", buffering=BUFFER)
        self._name = self._value = b""
        self._taken = False
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def close(self) -> None:
        self._out.close()

    def _begin(self) -> None:
        self._name, self._value, self._taken = b"", b"", False

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name, value = self._name.lower(), self._value
        self._name = self._value = b""
        if name != b"content-disposition":
            return
        _, options = parse_options_header(value)
        if options.get(b"name") == FIELD.encode() and b"filename" in options:
            self.files += 1
            if self.files > 1:
                raise BadFormError(f"more than one part is called {FIELD}")
            self._taken = True
            self.filename = options[b"filename"].decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._taken:
            self._out.write(data[start:end])

    def _end(self) -> None:
        self.ended = True


async def receive_file(content_type: str, pieces: AsyncIterator[bytes], path: Path, most_bytes: int) -> str:
    """Write the file of a form to a path, in a thread. Returns the name that its sender gave it.

    Raises BadFormError, also for a sender that stops, and OSError.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise BadFormError(f"send a form: multipart/form-data with the recording in its part {FIELD!r}")
    reader, size = _FormReader(options[b"boundary"], path), 0
    try:
        while (piece := await asyncio.wait_for(anext(pieces, None), IDLE_S)) is not None:
            size += len(piece)
            if size > most_bytes + FORM_BYTES:
                raise BadFormError("the file is larger than api.max_upload_mib", too_large=True)
            await asyncio.to_thread(reader.parser.write, piece)
    except TimeoutError as error:
        raise BadFormError(f"nothing came for {IDLE_S:g} s") from error
    except FormParserError as error:
        raise BadFormError(f"the form is damaged: {error}") from error
    finally:
        reader.close()
    if not reader.ended or not reader.files:
        raise BadFormError(f"the form has no whole part called {FIELD!r} with a file name")
    return reader.filename
