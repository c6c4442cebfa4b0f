"""One file per source of audio, and the registry that the command line reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitor.audio import Source
from monitor.config.schema import InputSection
from monitor.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Request:
    """An input as the user named it. speed, channels: those of a recording; None = as fast as possible, and all."""

    target: str
    config: InputSection
    speed: float | None = None
    channels: tuple[str, ...] | None = None


def _file(request: Request) -> Source:
    from monitor.sources.recording import FileSource

    return FileSource(request.target, request.speed, request.channels, max_channels=request.config.max_channels)


def _device(request: Request) -> Source:
    from monitor.sources.call_sides import open_sides

    return open_sides([request.target], request.config)[0]


SOURCES: Mapping[str, Callable[[Request], Source]] = {"file": _file, "device": _device}


def open_source(kind: str, request: Request) -> Source:
    """Open a source of the registry. Raises BadInputError for an unknown kind or what the source cannot open."""
    try:
        opener = SOURCES[kind]
    except KeyError as error:
        raise BadInputError(f"there is no source {kind!r}", f"choose one of: {', '.join(SOURCES)}") from error
    return opener(request)
