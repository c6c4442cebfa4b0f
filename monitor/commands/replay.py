"""`monitor replay`: watch a recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from monitor.config import Config
from monitor.errors import BadInputError
from monitor.sources.file import FileSource
from monitor.watch import Watched, watch


@dataclass(frozen=True)
class Replay:
    """What the user asked for. speed: "max" or a factor. channels: "caller=left,agent=right", "left", or None for all."""

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
        return float(text)
    except ValueError as error:
        raise BadInputError(f"--speed {text} is no speed", "write max, or a factor such as 1 for real time") from error


def parse_channels(text: str | None) -> tuple[list[str] | None, list[str] | None]:
    """Places and names of "caller=left,agent=2": (["left", "2"], ["caller", "agent"]). Raises BadInputError."""
    if text is None:
        return None, None
    places, names = [], []
    for part in text.split(","):
        name, equals, place = (word.strip() for word in part.partition("="))
        if not name or (equals and not place):
            raise BadInputError(
                f"--channels {text} is not NAME=PLACE,...", "write caller=left,agent=right, for instance"
            )
        places.append(place or name)
        names.append(name)
    return places, names


def replay(wanted: Replay, config: Config, name: str | None = None) -> int:
    """Watch a recording to its end. Returns the exit status; raises BadInputError for a file that cannot be played."""
    places, names = parse_channels(wanted.channels)
    limit = config.input.max_channels
    speed = parse_speed(wanted.speed)
    source = FileSource(wanted.file, speed, places, read_ms=wanted.read_ms, max_channels=limit)
    try:
        if names is not None:
            source.channels = tuple(names)
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
