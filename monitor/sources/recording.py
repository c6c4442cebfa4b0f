"""A recording as a source, at full speed or paced by the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from model.resample import StreamResampler
from monitor.audio import Audio, Chunk
from monitor.errors import BadInputError
from monitor.sources.decoders import open_recording
from monitor.sources.pcm_reader import PcmFormat
from monitor.sources.raw_formats import CodecFormat
from monitor.sources.reader import HINT, Reader
from monitor.types import SAMPLE_RATE, Condition


class FileSource:
    """Reads any recording block by block.

    path: what soundfile or PyAV reads. speed: None gives audio as fast as it is taken, 1.0 as fast as it was
    spoken, 2.0 twice as fast. channels: names or numbers from 1 of those to give; None gives all. read_ms: audio of
    one chunk; it changes nothing else. max_channels: more than these are refused. track: which of several sound tracks,
    from 1; None gives all. raw: what the file is, where it has no header.

    total_s: duration, None where the file does not say. Raises BadInputError for a file that cannot be played.
    """

    live = False

    def __init__(
        self,
        path: str | Path,
        speed: float | None = None,
        channels: Sequence[str] | None = None,
        *,
        read_ms: int = 20,
        max_channels: int = 8,
        track: int | None = None,
        raw: PcmFormat | CodecFormat | None = None,
    ) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise BadInputError(
                f"a speed of {speed:g} is impossible", "use 1 for real time, 2 for twice as fast, or none"
            )
        self.name = Path(path).name
        self._speed = speed
        self._chunk = max(1, read_ms * SAMPLE_RATE // 1000)
        self._closed = threading.Event()
        self._reading = threading.Lock()
        self._reader: Reader = open_recording(_checked(Path(path)), raw=raw, track=track)
        try:
            names = self._reader.names
            self._rows = _selection(names, channels, max_channels, self.name)
            self._resampler = _resampler(self._reader.rate, len(self._rows), self.name)
        except BadInputError:
            self._reader.close()
            raise
        self.channels = tuple(names[i] for i in self._rows)
        self.numbers = tuple(i + 1 for i in self._rows)
        """The numbers of the channels within the file, from 1."""
        self.total_s = self._reader.total_s

    def chunks(self) -> Iterator[Chunk | Condition]:
        """Yield the recording once; captured_at is 0.0. A truncated one ends with the condition "ended early"."""
        begun = time.monotonic()
        start = 0
        try:
            yield from self._reader.notes
            for samples in self._rechunked():
                end = start + samples.shape[1]
                if self._speed is not None:
                    # From the beginning, not from the last chunk: oversleeping must not add up.
                    self._closed.wait(max(0.0, begun + end / SAMPLE_RATE / self._speed - time.monotonic()))
                if self._closed.is_set():
                    return
                yield Chunk(samples, start, 0.0)
                start = end
            yield from self._reader.complaints
        finally:
            self.close()

    def close(self) -> None:
        """End chunks() and close the file."""
        self._closed.set()
        with self._reading:
            self._reader.close()

    def _rechunked(self) -> Iterator[Audio]:
        """Yield the chunks of one size, the last one shorter."""
        held: list[Audio] = []
        count = 0
        for samples in self._resampled():
            held.append(samples)
            count += samples.shape[1]
            if count < self._chunk:
                continue
            joined = np.concatenate(held, axis=1)
            whole = count // self._chunk * self._chunk
            for at in range(0, whole, self._chunk):
                yield joined[:, at : at + self._chunk]
            held, count = [joined[:, whole:]], count - whole
        if count:
            yield np.concatenate(held, axis=1)

    def _resampled(self) -> Iterator[Audio]:
        blocks = self._reader.blocks()
        while not self._closed.is_set():
            with self._reading:
                block = None if self._closed.is_set() else next(blocks, None)
            if block is None:
                break
            yield self._resampler.push(block[self._rows])
        yield self._resampler.push(np.zeros((len(self._rows), 0), np.float32), last=True)


def _checked(path: Path) -> Path:
    """Return the path of a file that is there, can be read and is not empty."""
    try:
        if path.is_dir():
            raise BadInputError(f"{path} is a directory", "name one recording in it")
        if path.exists() and not path.is_file():
            raise BadInputError(f"{path} is not a regular file", HINT)
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise BadInputError(f"there is no file {path}", "check the name and the directory") from error
    except PermissionError as error:
        raise BadInputError(f"{path} may not be read", "ask for permission to read it (chmod +r)") from error
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}", "check the disk, or copy the file") from error
    if empty:
        raise BadInputError(f"{path} is empty (0 bytes)", "the recording or the copy failed; get the file again")
    return path


def _selection(names: tuple[str, ...], wanted: Sequence[str] | None, most: int, file: str) -> list[int]:
    """Return the rows of the wanted channels, each once, in the order of the file."""
    rows = list(range(len(names)))
    if wanted is not None:
        known = {name: i for i, name in enumerate(names)} | {str(i + 1): i for i in rows}
        unknown = [name for name in wanted if name not in known]
        if unknown or not wanted:
            message = f"{file} has no channel {', '.join(unknown) or 'of an empty selection'}"
            raise BadInputError(message, f"choose from {', '.join(names)}")
        rows = sorted({known[name] for name in wanted})
    if len(rows) > most:
        message = f"{file} has {len(rows)} channels, more than input.max_channels = {most}"
        raise BadInputError(message, "choose some of them, or raise input.max_channels")
    return rows


def _resampler(rate: int, channels: int, file: str) -> StreamResampler:
    try:
        return StreamResampler(rate, channels)
    except ValueError as error:
        raise BadInputError(f"{file}: {error}", "convert the recording, for example to 16000 Hz") from error
