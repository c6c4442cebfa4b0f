"""Opens recordings, each with the reader that reads it to its real end, which its contents choose."""

from __future__ import annotations

from pathlib import Path

from monitor.errors import BadInputError
from monitor.sources.aiff import read_aiff
from monitor.sources.joined import Joined, joined_parts
from monitor.sources.pcm_reader import PcmFormat, PcmReader, wave_format
from monitor.sources.raw_formats import CodecFormat
from monitor.sources.reader import Reader
from monitor.sources.riff import WaveHeader, read_wave
from monitor.sources.sun_audio import read_sun_audio
from monitor.types import Condition

_LIBSNDFILE = (b"FORM", b".snd", b"dns.", b"caff", b"riff", b"NIST", b"2BIT", b"ALaw", b"PVF1", b"MATL")
"""Beginnings of files for libsndfile: AIFF, AU, CAF, W64, NIST, AVR, Psion, PVF and MAT."""

UNKNOWN_LENGTH = Condition(
    "length unknown", "its header does not know how long it is: it is read to its end", usable=True
)


def open_recording(path: Path, *, raw: PcmFormat | CodecFormat | None = None, track: int | None = None) -> Reader:
    """Open any recording. raw: what it is, where it has no header. track: which of several, from 1; None = all.

    Raises BadInputError where it is not a recording.
    """
    from monitor.sources.av_reader import AvReader

    if isinstance(raw, PcmFormat):
        return PcmReader(path, raw)
    if raw is not None:
        return AvReader(path, Joined(((0, path.stat().st_size),)), codec=raw.codec)
    with path.open("rb") as file:
        joined = joined_parts(file)
    reader = _by_header(path, joined.left) if len(joined.parts) == 1 and track in (None, 1) else None
    if reader is not None:
        return reader
    reader = _of_codec(path, joined, track)
    if joined.left:
        detail = f"{joined.left} bytes behind the end of the recording, of which nothing can be made"
        reader.notes.append(Condition("not scored", detail, usable=True))
    return reader


def _by_header(path: Path, left: int) -> Reader | None:
    """Return a reader that does without FFmpeg. left: bytes behind the end that the header gives."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        wave, plain = read_wave(file, size), read_sun_audio(file, size) or read_aiff(file, size)
    form = wave_format(wave) if wave is not None else None
    if wave is not None and form is not None:
        return _noted(PcmReader(path, form, wave.parts, wave.announced), wave.ignored, wave)
    if plain is not None:
        return _noted(PcmReader(path, plain.form, [(plain.begin, plain.end)], plain.announced), plain.ignored)
    if head in _LIBSNDFILE and not left:
        from monitor.sources.sound_file import SoundFileReader

        try:
            return SoundFileReader(path)
        except BadInputError:
            return None  # such as one from a pipe, whose header holds no length: FFmpeg reads to its end
    return None


def _of_codec(path: Path, joined: Joined, track: int | None) -> Reader:
    """Return FFmpeg's reader. Of a WAV with several chunks of samples FFmpeg would read the last one alone."""
    from monitor.sources.av_reader import AvReader

    with path.open("rb") as file:
        wave = read_wave(file, path.stat().st_size) if len(joined.parts) == 1 else None
    (begin, end), *further = wave.parts if wave is not None else ((0, 0),)
    lies = wave is not None and wave.ignored and end - begin < 1 << 32
    joined = Joined(((0, end),)) if further or lies else joined
    reader = AvReader(path, joined, track=track, length=end - begin if lies else 0)
    if lies:
        reader.notes.append(UNKNOWN_LENGTH)
    if further:
        detail = f"{sum(end - begin for begin, end in further)} bytes of samples behind the first, which are not read"
        reader.notes.append(Condition("not scored", detail, usable=True))
    return reader


def _noted(reader: PcmReader, ignored: bool, wave: WaveHeader | None = None) -> PcmReader:
    if ignored:
        reader.notes.append(UNKNOWN_LENGTH)
    if wave is not None and (len(wave.parts) > 1 or wave.silent):
        detail = f"its samples stand in {len(wave.parts)} parts, which are read one after the other"
        detail += f", without the {wave.silent / wave.rate:.1f} s of silence between them" if wave.silent else ""
        reader.notes.append(Condition("parts", detail, usable=True))
    if wave is not None and wave.left:
        detail = f"{wave.left} bytes of samples in another format behind the first"
        reader.notes.append(Condition("not scored", detail, usable=True))
    return reader
