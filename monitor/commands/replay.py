"""`monitor replay`: watch a recording."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan
from pathlib import Path

from monitor.config import Config
from monitor.errors import BadInputError
from monitor.sources.file import FileSource


@dataclass(frozen=True)
class Replay:
    """What the user asked for.

    speed: "max" or a factor. channels: "caller=left,agent=right", "left", or None for all.
    """

    file: Path
    speed: str
    channels: str | None
    read_ms: int
    json_lines: bool
    fail_on_alert: bool
    svg: Path | None


def parse_speed(text: str) -> float | None:
    """ "max" is None: as fast as it can be scored. Raises BadInputError."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = nan
    if not 0 < speed < inf:
        raise BadInputError(f"--speed {text} is no speed", "write max, or a factor such as 1 for real time")
    return speed


def parse_channels(text: str | None) -> dict[str, str] | None:
    """ "caller=left,agent=2" is {"left": "caller", "2": "agent"}: places to names. Raises BadInputError."""
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


def _number(place: str) -> int:
    """Of a channel in its file, from 1: the source gives channels in this order, whatever the order of wishes."""
    return {"mono": 1, "left": 1, "right": 2}.get(place) or int(place.removeprefix("ch"))


def _rename(source: FileSource, names: dict[str, str]) -> None:
    if len(source.channels) != len(names):
        raise BadInputError("--channels names a channel twice", "left and 1 are the same channel, right and 2 too")
    source.channels = tuple(names[place] for place in sorted(names, key=_number))


def replay(wanted: Replay, config: Config, name: str | None = None) -> int:
    """Watch a recording to its end. Returns the exit status; raises BadInputError for a file that cannot be played."""
    names, speed = parse_channels(wanted.channels), parse_speed(wanted.speed)
    places = None if names is None else list(names)
    limit = config.input.max_channels
    source = FileSource(wanted.file, speed, places, read_ms=wanted.read_ms, max_channels=limit)
    try:
        if names is not None:
            _rename(source, names)
        # torch takes seconds to load: a file that cannot be played is told before that.
        from monitor.watch import Watched, watch

        watched = Watched(name or wanted.file.stem, source, source.total_s)
        return watch(
            [watched],
            config,
            json_lines=wanted.json_lines,
            fail_on_alert=wanted.fail_on_alert,
            svg=wanted.svg,
        )
    finally:
        source.close()
