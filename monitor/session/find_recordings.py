"""Finds the recordings and captures that the arguments of a command name: files, folders and patterns."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from glob import iglob
from pathlib import Path

from monitor.errors import BadInputError

_AUDIO = (
    *("3gp", "aac", "ac3", "aif", "aifc", "aiff", "amr", "au", "avi", "awb", "caf", "flac", "m4a", "m4b", "mka"),
    *("mkv", "mov", "mp2", "mp3", "mp4", "mpeg", "mpg", "nist", "oga", "ogg", "opus", "rf64", "snd", "sph", "ts"),
    *("voc", "w64", "wav", "wave", "webm", "wma", "wmv"),
)
_CAPTURES = tuple(f"{name}{packed}" for name in ("cap", "pcap", "pcapng") for packed in ("", ".gz", ".bz2", ".xz"))
ENDINGS = frozenset(f".{ending}" for ending in (*_AUDIO, *_CAPTURES))
"""How the names of files end that are taken from a folder. A file that is named itself may have any name."""


def is_recording(name: str) -> bool:
    """Return whether a file of a folder is taken, by its name."""
    ending = "".join(Path(name).suffixes[-2:]).lower()
    return ending in ENDINGS or Path(name).suffix.lower() in ENDINGS


class Recordings:
    """Files in the order of the arguments, those of a folder and those below it by name; found anew in each iteration.

    every: take all files of a folder, whatever their names. left_out: of the last iteration, endings of names that
    were not taken and how often. Raises BadInputError for a folder or a pattern without recordings.
    """

    def __init__(self, arguments: Sequence[str | Path], *, every: bool = False) -> None:
        self._arguments, self._every = [str(argument) for argument in arguments], every
        self.left_out: Counter[str] = Counter()
        for argument in self._arguments:
            if next(self._files(argument), None) is None:
                folder = os.path.isdir(argument)
                message = f"{argument} holds no recordings" if folder else f"no file is called {argument}"
                raise BadInputError(message, "name a folder or files with recordings or captures in them")

    def __iter__(self) -> Iterator[Path]:
        self.left_out.clear()
        for argument in self._arguments:
            yield from self._files(argument)

    def _files(self, argument: str) -> Iterator[Path]:
        if os.path.isdir(argument):
            yield from self._below(argument)
        elif os.path.lexists(argument) or not any(sign in argument for sign in "*?["):
            yield Path(argument)
        else:
            for found in iglob(argument, recursive=True):
                if not os.path.isdir(found):
                    yield Path(found)

    def _below(self, folder: str) -> Iterator[Path]:
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if name.startswith("."):
                    continue
                if self._every or is_recording(name):
                    yield Path(place, name)
                else:
                    self.left_out[Path(name).suffix.lower() or name] += 1
