"""The audio of a whole call, written while it goes on."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from model.config import BLOCK, SAMPLE_RATE
from monitor.config.schema import Config
from monitor.disk.private import append_private
from monitor.store.audio_history import AudioBlock
from monitor.store.clip import AudioGap, join
from monitor.store.folder import TIMELINE, DraftFolder, audio_facts, file_of, hole_lines, write_common

if TYPE_CHECKING:
    from soundfile import SoundFile

FLUSH_BLOCKS = SAMPLE_RATE // BLOCK
LONGEST_SILENCE = 600 * SAMPLE_RATE
"""The most silence that is written for a jump of the clock."""


@dataclass
class _Track:
    """start: of the first sample on the call's clock. next: the sample that should come now."""

    file: str
    sound: SoundFile
    start: int = -1
    next: int = 0
    samples: int = 0
    missing: int = 0
    pieces: list[AudioBlock] = field(default_factory=list)


class WholeCall:
    """The draft of a call's folder. Any method but close() raises OSError or RuntimeError where the disk is full."""

    def __init__(self, draft: DraftFolder, call: str, channels: tuple[str, ...]) -> None:
        import soundfile

        self.draft, self.call, self.channels = draft, call, channels
        self._lines: list[bytes] = []
        self._tracks = [
            _Track(name, soundfile.SoundFile(draft.empty(name), "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC"))
            for name in (file_of("audio", number, channel, "flac") for number, channel in enumerate(channels, 1))
        ]

    def add(self, channel: int, piece: AudioBlock) -> None:
        """Take a piece of a channel, numbered from 0."""
        track = self._tracks[channel]
        if track.pieces and piece.end - track.pieces[-1].end > LONGEST_SILENCE:
            self._flush(channel)
        track.pieces.append(piece)
        if len(track.pieces) >= FLUSH_BLOCKS:
            self._flush(channel)

    def note(self, line: bytes) -> None:
        """Take what was said, as JSON."""
        self._lines.append(line)
        if len(self._lines) >= 100:
            self._flush_lines()

    def finish(self, facts: Mapping[str, Any], config: Config, key: bytes | None) -> None:
        """Write the rest and publish the folder."""
        audio = []
        for number, track in enumerate(self._tracks):
            self._flush(number)
            track.sound.close()
            _must_hold(track, self.draft)
            channel = self.channels[number]
            audio.append(audio_facts(channel, track.file, max(0, track.start), track.samples, track.missing))
        self._flush_lines()
        write_common(self.draft, config)
        about = {"kind": "call", "call": self.call, "channels": list(self.channels), "audio": audio}
        self.draft.publish(about | dict(facts), key)

    def close(self) -> None:
        """Give up; nothing is left behind."""
        for track in self._tracks:
            with contextlib.suppress(RuntimeError):  # what is given up need not be whole
                track.sound.close()
        self.draft.discard()

    def _flush(self, channel: int) -> None:
        track = self._tracks[channel]
        if not track.pieces:
            return
        begin, continues = track.pieces[0].end - BLOCK, track.start >= 0
        if not continues:
            track.start = track.next = begin
        first = max(track.next, begin - LONGEST_SILENCE)
        stretch = join(track.pieces, first, track.pieces[-1].end, continues=continues)
        if first > track.next:
            stretch = replace(stretch, holes=(AudioGap(track.next, first - track.next, "left out"), *stretch.holes))
        try:
            track.sound.write(stretch.samples)
        except AssertionError as error:  # how soundfile says that libsndfile wrote less than it was given
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        self._lines += [line for _, line in hole_lines(self.channels[channel], stretch)]
        track.samples += len(stretch.samples)
        track.missing += sum(hole.samples for hole in stretch.holes if hole.why != "left out")
        track.next = first + len(stretch.samples)
        track.pieces.clear()

    def _flush_lines(self) -> None:
        append_private(self.draft.path / TIMELINE, b"".join(line + b"\n" for line in self._lines))
        self._lines.clear()


def _must_hold(track: _Track, draft: DraftFolder) -> None:
    """Raise where the disk is full: libsndfile does not say so; the file does."""
    import soundfile

    found = soundfile.info(str(draft.path / track.file)).frames if track.samples else 0
    if found != track.samples:
        raise OSError(errno.ENOSPC, f"{track.file} holds {found} of {track.samples} samples: is the disk full?")
