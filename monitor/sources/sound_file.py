"""Recordings that libsndfile reads better than FFmpeg, or that FFmpeg does not read: aiff, au, caf, w64, nist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from monitor.audio import Audio
from monitor.errors import BadInputError
from monitor.sources.reader import FRAMES, LONGEST_S, channel_names, ended_early
from monitor.sources.riff import UNKNOWN_SIZE
from monitor.types import Condition

_SIZE_BY_HEADER = re.compile(r"(?:riff|data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)")


class SoundFileReader:
    """Raises BadInputError for what libsndfile does not read, or for a file whose length it does not know."""

    def __init__(self, path: Path) -> None:
        import soundfile

        try:
            self._file = soundfile.SoundFile(path)
        except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a name such as a.raw
            raise BadInputError(f"{path} is not read by libsndfile: {error}") from error
        self.rate, self.names = int(self._file.samplerate), channel_names(int(self._file.channels))
        self._frames = int(self._file.frames)
        self.total_s: float | None = self._frames / self.rate
        self.notes: list[Condition] = []
        self.complaints: list[Condition] = []
        if not 0 < self.total_s < LONGEST_S:
            self._file.close()
            raise BadInputError(f"{path} holds no samples", "record it again, or name another file")

    def blocks(self) -> Iterator[Audio]:
        """Yield the samples, float32 (channels, n)."""
        import soundfile

        read = 0
        try:
            while len(block := self._file.read(FRAMES, dtype="float32", always_2d=True)):
                read += len(block)
                yield np.ascontiguousarray(block.T)
        except soundfile.LibsndfileError:
            pass  # a damaged stream ends here; the count below tells
        announced = self._announced()
        if read < announced:
            self.complaints.append(ended_early(read / self.rate, announced / self.rate))

    def _announced(self) -> float:
        """Return the frames by the header; libsndfile itself counts what the file is long enough for."""
        found = _SIZE_BY_HEADER.search(self._file.extra_info)
        if found is None or not 0 < int(found[2]) < int(found[1]) < UNKNOWN_SIZE:
            return self._frames
        return self._frames * int(found[1]) / int(found[2])

    def close(self) -> None:
        self._file.close()
