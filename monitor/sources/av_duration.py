"""How long a file says that it is, where FFmpeg has read it and not estimated it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from monitor.sources.av_parts import begin_s
from monitor.sources.reader import LONGEST_S

if TYPE_CHECKING:
    from av.container import InputContainer

    from monitor.sources.sound_track import SoundTrack

_INDEXED = frozenset({"mov", "matroska", "ogg", "asf", "avi", "w64", "aiff", "au", "caf", "flac", "mp3", "wav"})
"""Containers whose durations were written down; all others are estimates from a bit rate."""
INDEX_WITHIN = 64 << 10
"""Bytes at the beginning of an MP3 among which its index is."""
_XING = ((b"Xing", 8), (b"Info", 8), (b"VBRI", 14))
"""How the index of an MP3 begins, and where its number of frames is."""


def duration_s(container: InputContainer, tracks: Sequence[SoundTrack], head: bytes) -> float | None:
    """Return the seconds of an open file; None where FFmpeg has estimated them. head: its first INDEX_WITHIN bytes."""
    import av

    kind = container.format.name.split(",")[0]
    if kind not in _INDEXED or (kind == "flac" and _is_endless(head)):
        return None
    first = min(begin_s(t.stream) for t in tracks)
    durations = [
        float(t.stream.duration * t.stream.time_base) + (begin_s(t.stream) - first if kind == "mov" else 0.0)
        for t in tracks
        if t.stream.duration is not None and t.stream.time_base is not None
    ]
    if kind == "ogg":  # of Opus the end is counted from 0, of Vorbis from the beginning
        durations = [d - begin if d > begin else d for d in durations for begin in [begin_s(tracks[0].stream)]]
    whole, begin = container.duration, container.start_time or 0
    found = max(durations, default=None if whole is None else (whole - max(0, begin)) / av.time_base)
    if found is None or found >= LONGEST_S or (kind == "mp3" and not _is_indexed(head, tracks[0].rate, found)):
        return None
    return found


def _is_endless(head: bytes) -> bool:
    """Return whether a FLAC file does not say how many samples it has (RFC 9639, section 8.2)."""
    at = head[:64].find(b"fLaC") + 4
    return int.from_bytes(head[at + 17 : at + 22]) & 0xF_FFFF_FFFF == 0


def _is_indexed(head: bytes, rate: int, seconds: float) -> bool:
    """Return whether an MP3 that begins so says that it is so long. FFmpeg estimates where it does not, or where files
    were joined."""
    counts = [head[at + skip : at + skip + 4] for word, skip in _XING if (at := head.find(word)) >= 0]
    lengths = [int.from_bytes(c) * size / rate for c in counts for size in (1152, 576)]
    return any(abs(length - seconds) < max(0.2, 0.01 * seconds) for length in lengths)
