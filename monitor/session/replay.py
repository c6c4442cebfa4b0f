"""`monitor replay`: watch a recording."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from math import inf, nan
from pathlib import Path

from monitor.audio import SEGMENT_MS, Source
from monitor.captures.records import is_capture
from monitor.config.schema import Config
from monitor.errors import BadInputError
from monitor.provenance.provenance_reader import ProvenanceReader
from monitor.sources.raw_formats import read_raw_format
from monitor.sources.recording import FileSource
from monitor.types import Mark

INTERRUPTED = 130
PACED_READ_MS = 20
"""Audio that is read at once where it is paced by the clock; at full speed it is a segment."""


@dataclass(frozen=True)
class ReplayOptions:
    """The options of a replay.

    speed: "max" or a factor. channels: "caller=left,agent=right", "left", or None for all. track: which of several
    sound tracks, from 1. raw: what a file without a header is, such as "mulaw,8000". read_ms: audio that is
    read at once, None for what suits the speed.
    """

    file: Path
    speed: str
    channels: str | None
    read_ms: int | None
    json_lines: bool
    fail_on_alert: bool
    svg: Path | None
    track: int | None = None
    raw: str | None = None


def parse_speed(text: str) -> float | None:
    """Parse a speed; "max" is None: as fast as it can be scored. Raises BadInputError."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = nan
    if not 0 < speed < inf:
        raise BadInputError(f"--speed {text} is not a speed", "write max, or a factor such as 1 for real time")
    return speed


def parse_channels(text: str | None) -> dict[str, str] | None:
    """Parse "caller=left,agent=2" to {"left": "caller", "2": "agent"}: places to names. Raises BadInputError."""
    if text is None:
        return None
    names: dict[str, str] = {}
    for part in text.split(","):
        name, equals, place = (word.strip() for word in part.partition("="))
        if not name or (equals and not place):
            raise BadInputError(
                f"--channels {text} is not NAME=PLACE,...", "write caller=left,agent=right, for instance"
            )
        if (place or name) in names or name in names.values():
            raise BadInputError(f"--channels {text} names a channel twice", "give each channel a name of its own")
        names[place or name] = name
    return names


def _rename(source: FileSource, names: dict[str, str]) -> None:
    """Give the channels of a file, which come in its own order, the names that were asked for."""
    if len(source.channels) != len(names):
        raise BadInputError("--channels names a channel twice", "left and 1 are the same channel, right and 2 too")
    places = zip(source.channels, source.numbers, strict=True)
    source.channels = tuple(names[name if name in names else str(number)] for name, number in places)


def replay(options: ReplayOptions, config: Config, name: str | None = None) -> int:
    """Watch a recording, or each call of a network capture, to its end. Returns the exit status; raises BadInputError
    for a file that cannot be played.
    """
    if options.raw is None and is_capture(options.file):
        return _replay_capture(options, config, name or options.file.stem)
    names, speed = parse_channels(options.channels), parse_speed(options.speed)
    places = None if names is None else list(names)
    limit = config.input.max_channels
    raw = read_raw_format(options.raw) if options.raw is not None else None
    reader = ProvenanceReader(config.provenance)
    read_ms = options.read_ms or (SEGMENT_MS if speed is None else PACED_READ_MS)
    source = FileSource(options.file, speed, places, read_ms=read_ms, max_channels=limit, track=options.track, raw=raw)
    try:
        if names is not None:
            _rename(source, names)
        marks = reader.read(options.file) if raw is None else ()
        return _watch(name or options.file.stem, source, source.total_s, options, config, marks)
    finally:
        source.close()


def _replay_capture(options: ReplayOptions, config: Config, stem: str) -> int:
    """Replay one call after the other, so that the journal is the same each time. Return the worst exit status.

    stem: of the names of the calls.
    """
    from monitor.sources.capture_file import CaptureFile, CaptureSource
    from monitor.taps.rtp.listener import read_formats

    if options.channels is not None or options.track is not None:
        option = "--channels" if options.channels is not None else "--track"
        raise BadInputError(f"{option} does not go with a capture", "its channels are caller and callee by themselves")
    speed, worst = parse_speed(options.speed), 0
    with closing(CaptureFile(options.file, read_formats(config.taps.rtp.payload_types))) as capture:
        for number, call in enumerate(capture.calls, 1):
            name = stem if len(capture.calls) == 1 else f"{stem}-{number}"
            source = CaptureSource(capture, call, speed)
            status = _watch(name, source, source.total_s, options, config)
            worst = max(worst, status)
            if status == INTERRUPTED:
                break
        for line in capture.left_out:
            print(f"not scored: {line}", file=sys.stderr)
    return worst


def _watch(
    name: str, source: Source, total_s: float | None, options: ReplayOptions, config: Config, marks: Sequence[Mark] = ()
) -> int:
    # torch takes seconds to load: a file that cannot be played is named before that.
    from monitor.session.watch import CallSources, watch

    return watch(
        [CallSources(name, [source], total_s, marks)],
        config,
        json_lines=options.json_lines,
        fail_on_alert=options.fail_on_alert,
        svg=options.svg,
    )
