"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from monitor.cli.typer_commands import PlainCommand

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file (default: config.toml, where there is one)."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, such as alerts.alert_llr=3. May be repeated."),
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help="Trained network to use (default: the one that ships).")
]
Publish = Annotated[
    str | None,
    typer.Option(
        "--publish",
        metavar="ADDRESS",
        help="Publish events at this address, for 'monitor subscribe' (default: tcp://127.0.0.1:5556).",
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Allow connections from other machines without encryption or a password.")
]
NoPublish = Annotated[bool, typer.Option("--no-publish", help="Open no port; publish nothing.")]
Journal = Annotated[
    Path | None, typer.Option("--journal", metavar="FILE", help="Append every event to this file, one JSON line each.")
]
EvidenceOption = Annotated[
    Path | None,
    typer.Option("--evidence", metavar="DIR", help="Folder for evidence: audio, events and checksums of each alert."),
]
ScreenOption = Annotated[
    str | None,
    typer.Option(
        "--screen", metavar="MODE", help="Screen: full, line, plain, off, or auto (what the terminal can show)."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write JSON lines to standard output, and nothing else; no screen.")
]
JsonOnly = Annotated[bool, typer.Option("--json", help="Write JSON lines instead of a table.")]
FailOnAlert = Annotated[bool, typer.Option("--fail-on-alert", help="Exit with status 3 if an alert was raised.")]
Speed = Annotated[
    str, typer.Option(metavar="SPEED", help="1 = real time, 2 = twice as fast, max = as fast as possible.")
]
TrackOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Audio track to read, from 1 (default: all tracks).")
]
RawFormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME,RATE",
        help="Format of audio without a header, such as mulaw,8000 or s16le,16000,2 or g722.",
    ),
]
PictureOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="At the end, write the last screen to this file as an SVG picture.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="File with the secret of the seal (evidence_store.key, journal.key)."),
]


USUAL_VALUES = {"--web": "127.0.0.1:8000", "--cluster": "local"}
"""The values of options that may stand without one; typer itself has no such options."""


class Command(PlainCommand):
    """A command whose options of USUAL_VALUES may stand alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        return super().parse_args(ctx, list(_completed(args)))


class CommandGroup(TyperGroup):
    """The program itself, whose options of USUAL_VALUES may stand alone, too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        return super().parse_args(ctx, list(_completed(args)))


def _completed(arguments: Sequence[str]) -> Iterator[str]:
    for argument, following in zip(arguments, [*arguments[1:], "-"], strict=False):
        yield argument
        if argument in USUAL_VALUES and following.startswith("-"):
            yield USUAL_VALUES[argument]
