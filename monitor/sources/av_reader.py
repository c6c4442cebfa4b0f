"""Whatever FFmpeg demuxes and decodes: mp3, flac, ogg, m4a, webm, amr, the sound of videos; by content, not by name.

The file is given to FFmpeg without its name: its kind is recognised by its contents, and FFmpeg can open no other file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from monitor.audio import Audio
from monitor.errors import BadInputError
from monitor.sources.av_duration import INDEX_WITHIN, duration_s
from monitor.sources.av_parts import FilePart, begin_s, decoder_of, sound_tracks
from monitor.sources.container_kinds import HEAD, kind_of
from monitor.sources.joined import Joined
from monitor.sources.raw_formats import hint_for
from monitor.sources.reader import FRAMES, HINT, channel_names, ended_early
from monitor.sources.sound_track import SoundTrack
from monitor.types import Condition

if TYPE_CHECKING:
    from av.container import InputContainer

_MOST_AHEAD_S = 10.0
"""A track that another is so far ahead of is silent there."""
_MOST_CHANGES = 5
"""Changes of the format inside a file that are said."""


class AvReader:
    """Reads blocks of all tracks side by side. joined: the recordings in the file, which follow each other in the
    tracks of the first. track: only this one, from 1. codec: what the file is that has no header. length: bytes of
    samples with which the first recording ends, for a WAV whose header lies. Raises BadInputError.
    """

    def __init__(
        self, path: Path, joined: Joined, *, track: int | None = None, codec: str = "", length: int = 0
    ) -> None:
        import av

        self._file: IO[bytes] = path.open("rb")
        self._path = path
        self.notes: list[Condition] = []
        self.complaints: list[Condition] = []
        self._damaged = 0
        first, *self._links = joined.parts
        self._patch = (first[1] - length - 4, length.to_bytes(4, "little")) if length else (0, b"")
        self._unread: list[str] = []
        self._cut_in = joined.cut
        try:
            self._container = self._part(first, codec)
        except (av.FFmpegError, io.UnsupportedOperation) as error:
            self._file.close()
            reason = getattr(error, "strerror", None) or error
            raise BadInputError(f"{path} is not audio: {reason}", hint_for(path, self._hint())) from error
        try:
            self._open(track)
        except (av.FFmpegError, BadInputError) as error:
            self.close()
            if isinstance(error, BadInputError):
                raise
            raise BadInputError(f"{path} cannot be decoded: {error.strerror}", HINT) from error

    def _part(self, bounds: tuple[int, int], codec: str = "") -> InputContainer:
        """Open a part of the file. Raises av.FFmpegError."""
        import av

        # No protocol at all: playlists and the like must not lead to other files, or to the network.
        options = {"protocol_whitelist": "none"} | ({"sample_rate": "16000"} if codec == "g722" else {})
        part = FilePart(self._file, *bounds, self._patch)
        # Comments in another encoding than UTF-8 are no reason to hear nothing.
        return av.open(part, "r", format=codec or None, options=options, metadata_errors="replace")

    def _open(self, track: int | None) -> None:
        streams = sound_tracks(self._container)
        if not streams:
            unknown = " in a codec that is known" if self._container.streams.audio else " in it"
            raise BadInputError(f"{self._path} has no sound{unknown}", HINT)
        if track is not None and not 1 <= track <= len(streams):
            known = f"--track 1 to {len(streams)}" if len(streams) > 1 else "it has one track: leave --track out"
            raise BadInputError(f"{self._path} has no track {track}", known)
        chosen = streams if track is None else [streams[track - 1]]
        self._numbers = [streams.index(stream) for stream in chosen]
        rates = {stream.codec_context.sample_rate for stream in chosen}
        common = max(rates) if len(rates) > 1 else 0
        self._tracks = {stream.index: SoundTrack(stream, common) for stream in chosen}
        self._decoded = self._decode()
        while not self._begun() and next(self._decoded, None) is not None:
            pass
        tracks = [t for t in self._tracks.values() if t.channels]
        if not tracks:
            raise BadInputError(
                f"{self._path} holds no samples that can be decoded", "the file is damaged or empty; " + HINT
            )
        self.rate = tracks[0].rate
        self.names = _names([t.channels for t in tracks])
        self.total_s = None if self._links else duration_s(self._container, tracks, self._head(INDEX_WITHIN))
        for number in [i for i, t in enumerate(self._tracks.values(), 1) if not t.channels]:
            detail = f"track {number if track is None else track} holds nothing that can be decoded"
            self.notes.append(Condition("tracks", detail, usable=True))
        self._tracks = {t.stream.index: t for t in tracks}
        begins = {t.stream.index: begin_s(t.stream) for t in tracks}
        for one in tracks:
            one.delay(begins[one.stream.index] - min(begins.values()))
        if len(streams) > 1:
            which = f"track {track} of {len(streams)} is read" if track else f"all {len(streams)} tracks are read"
            self.notes.append(Condition("tracks", f"{which}; --track N chooses one", usable=True))

    def _begun(self) -> bool:
        """Return whether every track has begun, or one is so far that the others need not be waited for."""
        tracks = self._tracks.values()
        return all(t.channels for t in tracks) or any(t.rate and t.frames > _MOST_AHEAD_S * t.rate for t in tracks)

    def _hint(self) -> str:
        """Advise about a file that cannot be opened."""
        unfinished = "if its writer never finished, its index (moov) is missing: repair it, for instance with untrunc"
        return f"{HINT}; {unfinished}" if kind_of(self._head(HEAD)) == "mp4" else HINT

    def _head(self, size: int) -> bytes:
        with self._path.open("rb") as file:
            return file.read(size)

    def _decode(self) -> Iterator[int]:
        """Decode packet after packet into the tracks; gives the number of the stream."""
        import av

        tracks = dict(self._tracks)
        yield from self._decode_part(self._container, tracks)
        for number, bounds in enumerate(self._links, 2):
            try:
                with self._part(bounds) as container:
                    streams = sound_tracks(container)
                    if len(streams) < len(self._numbers):
                        self._unread.append(f"part {number} has {len(streams)} of {len(tracks)} tracks")
                    into = {
                        streams[i].index: t
                        for i, t in zip(self._numbers, tracks.values(), strict=True)
                        if i < len(streams)
                    }
                    if into:  # of no tracks FFmpeg gives all packets
                        yield from self._decode_part(container, into)
            except av.FFmpegError as error:
                self._unread.append(f"part {number} cannot be read: {error.strerror}")
        for track in tracks.values():
            with suppress(av.FFmpegError):  # what a resampler held of a format that it does not convert
                track.put(None)

    def _decode_part(self, container: InputContainer, tracks: Mapping[int, SoundTrack]) -> Iterator[int]:
        import av

        streams = [container.streams[i] for i in tracks]
        decoders = {stream.index: decoder_of(stream) for stream in streams}
        packets = container.demux(streams)
        while True:
            try:
                packet = next(packets)
                for frame in decoders[packet.stream.index].decode(packet):
                    tracks[packet.stream.index].put(frame)
                yield packet.stream.index
            except (StopIteration, av.EOFError):
                break
            except (av.FFmpegError, ValueError):
                self._damaged += 1
            except IndexError:  # a packet of a track that begins in the middle, which PyAV does not know
                self._damaged += 1
                packets = container.demux(streams)

    def blocks(self) -> Iterator[Audio]:
        """Yield the samples, float32 (channels, n), of all tracks."""
        tracks = list(self._tracks.values())
        read, ended = 0, False
        while True:
            ready = min(t.frames for t in tracks)
            most = max(t.frames for t in tracks)
            if ended or most > _MOST_AHEAD_S * self.rate:
                ready = most
            while ready >= FRAMES or (ended and ready):
                n = min(FRAMES, ready)
                yield np.concatenate([t.take(n) for t in tracks])
                read, ready = read + n, ready - n
            if ended:
                break
            ended = next(self._decoded, None) is None
        self._complain(read / self.rate, tracks)

    def _complain(self, read_s: float, tracks: list[SoundTrack]) -> None:
        # Some containers count encoder padding, or round: half a second is no sign of truncation.
        total_s = read_s if self.total_s is None else self.total_s
        most_off_s = max(0.5, 0.02 * total_s)
        if total_s - read_s > most_off_s:
            self.complaints.append(ended_early(read_s, total_s))
        elif read_s - total_s > most_off_s:
            detail = f"it goes on for {read_s:.1f} s, where its header says {total_s:.1f} s"
            self.complaints.append(Condition("length unknown", detail, usable=True))
        elif self._cut_in:
            detail = f"the file ends after {read_s:.1f} s in the middle of a {self._cut_in}: its end is missing"
            self.complaints.append(Condition("ended early", detail, usable=True))
        elif self._damaged:
            packets = "1 packet" if self._damaged == 1 else f"{self._damaged} packets"
            self.complaints.append(Condition("damaged", f"{packets} could not be decoded", usable=True))
        self.complaints += [Condition("damaged", detail, usable=True) for detail in self._unread[:_MOST_CHANGES]]
        for track in tracks:
            for change in track.changed[:_MOST_CHANGES]:
                beginning = f"{track.rate} Hz, {track.channels} channel{'s' if track.channels > 1 else ''}"
                detail = f"it is {change}, which was converted to the {beginning} of its beginning"
                self.complaints.append(Condition("format changed", detail, usable=True))

    def close(self) -> None:
        self._container.close()
        self._file.close()


def _names(channels: list[int]) -> tuple[str, ...]:
    """Channel names: those of one track as ever; of several "track1", or "track1-left" and "track1-right"."""
    if len(channels) == 1:
        return channel_names(channels[0])
    return tuple(
        f"track{i}" if count == 1 else f"track{i}-{name}"
        for i, count in enumerate(channels, 1)
        for name in channel_names(count)
    )
