"""The options that several commands share, and the settings that they make."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from monitor.errors import BadInputError

if TYPE_CHECKING:
    from monitor.settings import Settings

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file (default: config.toml, where there is one)."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change one setting, such as alerts.alert_llr=3. May be given several times."
    ),
]
Weights = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help="Trained network to use (default: the one that ships).")
]
Publish = Annotated[
    str | None,
    typer.Option(
        "--publish",
        metavar="ADDRESS",
        help="Where events are published, for 'monitor subscribe' (default: tcp://127.0.0.1:5556).",
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Let other machines connect although nothing protects what they reach.")
]
NoPublish = Annotated[bool, typer.Option("--no-publish", help="Open no port; publish nothing.")]
Journal = Annotated[
    Path | None, typer.Option("--journal", metavar="FILE", help="Append every event to this file, one JSON line each.")
]
Evidence = Annotated[
    Path | None,
    typer.Option(
        "--evidence", metavar="DIR", help="Keep the audio around each alert, what was said of it, and checksums here."
    ),
]
Screen = Annotated[
    str | None,
    typer.Option("--screen", metavar="MODE", help="full, line, plain, off, or auto: what the terminal can show."),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON lines to standard output, and nothing else; no screen.")]
JsonOnly = Annotated[bool, typer.Option("--json", help="Write JSON lines instead of a table.")]
FailOnAlert = Annotated[bool, typer.Option("--fail-on-alert", help="Exit with status 3 if an alert was raised.")]
Speed = Annotated[
    str, typer.Option(metavar="SPEED", help="1 = as it was spoken, 2 = twice as fast, max = as fast as possible.")
]
Picture = Annotated[
    Path | None, typer.Option(metavar="FILE", help="At the end, write the last screen to this file as an SVG picture.")
]


USUAL_VALUES = {"--web": "127.0.0.1:8000"}
"""What an option means whose value may be left out; typer itself knows no such options."""


class Command(TyperCommand):
    """A command whose options of USUAL_VALUES may stand alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of the command line."""
        return super().parse_args(ctx, list(_completed(args)))


def _completed(words: Sequence[str]) -> Iterator[str]:
    for word, following in zip(words, [*words[1:], "-"], strict=False):
        yield word
        if word in USUAL_VALUES and following.startswith("-"):
            yield USUAL_VALUES[word]


def read_settings(
    config: Path | None,
    assignments: list[str] | None,
    *,
    weights: Path | None = None,
    publish: str | None = None,
    no_publish: bool = False,
    journal: Path | None = None,
    screen: str | None = None,
    evidence: Path | None = None,
    insecure: bool = False,
    named: Mapping[str, tuple[str, object]] | None = None,
) -> Settings:
    """The settings of all layers. named: more options, with the key that each sets, and its value or None.

    Raises ConfigError, and BadInputError for options that contradict each other.
    """
    from monitor.settings import load_settings, parse_assignment

    if publish is not None and no_publish:
        raise BadInputError("--publish and --no-publish contradict each other", "give one of them")
    options: list[tuple[str, str, object]] = [
        ("--weights", "model.weights", None if weights is None else str(weights)),
        ("--publish", "zeromq.address", publish),
        ("--no-publish", "zeromq.enabled", False if no_publish else None),
        ("--insecure", "zeromq.insecure", True if insecure else None),
        ("--journal", "journal.path", None if journal is None else str(journal)),
        ("--evidence", "evidence_store.path", None if evidence is None else str(evidence)),
        ("--screen", "dashboard.mode", screen),
        *((option, key, value) for option, (key, value) in (named or {}).items()),
    ]
    flags = [("--set", *parse_assignment(text)) for text in assignments or []]
    return load_settings(config, os.environ, [*flags, *(flag for flag in options if flag[2] is not None)])
