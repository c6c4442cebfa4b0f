"""Options that several commands have in a row, written once: a command names the row as one parameter."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

from monitor.cli.options import (
    Assignments,
    ConfigFile,
    Evidence,
    Insecure,
    Journal,
    NoPublish,
    Publish,
    Screen,
    Weights,
)
from monitor.errors import BadInputError

if TYPE_CHECKING:
    from monitor.config.load import Settings

Flag = tuple[str, str, object]
"""An option, the key that it sets, and its value; None where it was not given."""


@dataclass(frozen=True)
class Settled:
    """Options of a command that has settings."""

    config: ConfigFile = None
    assignments: Assignments = None

    def settings(self, *more: Flag) -> Settings:
        """The settings of all layers; more: options that a command has beside these.

        Raises ConfigError, and BadInputError for options that contradict each other.
        """
        from monitor.config.load import load_settings, parse_assignment

        flags = [("--set", *parse_assignment(text)) for text in self.assignments or []]
        flags += [flag for flag in (*self._flags(), *more) if flag[2] is not None]
        return load_settings(self.config, os.environ, flags)

    def _flags(self) -> tuple[Flag, ...]:
        return ()


@dataclass(frozen=True)
class Judging(Settled):
    """Options of a command that has a network."""

    weights: Weights = None

    def _flags(self) -> tuple[Flag, ...]:
        return (("--weights", "model.weights", _text(self.weights)),)


@dataclass(frozen=True)
class Publishing(Judging):
    """Options of a command that may open a port."""

    publish: Publish = None
    no_publish: NoPublish = False
    insecure: Insecure = False

    def _flags(self) -> tuple[Flag, ...]:
        if self.publish is not None and self.no_publish:
            raise BadInputError("--publish and --no-publish contradict each other", "give one of them")
        return (
            *super()._flags(),
            ("--publish", "zeromq.address", self.publish),
            ("--no-publish", "zeromq.enabled", False if self.no_publish else None),
            ("--insecure", "zeromq.insecure", self.insecure or None),
        )


@dataclass(frozen=True)
class Watching(Publishing):
    """Options of a command that watches calls."""

    journal: Journal = None
    evidence: Evidence = None
    screen: Screen = None

    def _flags(self) -> tuple[Flag, ...]:
        return (
            *super()._flags(),
            ("--journal", "journal.path", _text(self.journal)),
            ("--evidence", "evidence_store.path", _text(self.evidence)),
            ("--screen", "dashboard.mode", self.screen),
        )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def unfolded(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer is to see it: with the options of a row in the place of the one parameter for it."""
    signature = inspect.signature(command, eval_str=True)
    (folded,) = [p for p in signature.parameters.values() if is_dataclass(p.annotation)]
    name, row = folded.name, folded.annotation

    @functools.wraps(command)
    def run(**given: object) -> None:
        own = {field.name: given.pop(field.name) for field in fields(row)}
        command(**given, **{name: row(**own)})

    parameters = list(_in_place(signature, name, row))
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _in_place(signature: inspect.Signature, name: str, row: type[Settled]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(row, include_extras=True)
    for parameter in signature.parameters.values():
        if parameter.name != name:
            yield parameter
            continue
        for field in fields(row):
            yield inspect.Parameter(field.name, parameter.kind, default=field.default, annotation=hints[field.name])
