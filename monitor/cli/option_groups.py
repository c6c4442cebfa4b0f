"""Groups of options that several commands share: a command names a group as one parameter."""

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
class SettingsOptions:
    """The options of a command that reads settings."""

    config: ConfigFile = None
    assignments: Assignments = None

    def settings(self, *more: Flag) -> Settings:
        """Load the settings of all layers. more: options that the command has beside these.

        Raises ConfigError, and BadInputError for options that contradict each other.
        """
        from monitor.config.load import load_settings, parse_assignment

        flags = [("--set", *parse_assignment(text)) for text in self.assignments or []]
        flags += [flag for flag in (*self._flags(), *more) if flag[2] is not None]
        return load_settings(self.config, os.environ, flags)

    def _flags(self) -> tuple[Flag, ...]:
        return ()


@dataclass(frozen=True)
class ModelOptions(SettingsOptions):
    """The options of a command that runs the network."""

    weights: Weights = None

    def _flags(self) -> tuple[Flag, ...]:
        return (("--weights", "model.weights", _text(self.weights)),)


@dataclass(frozen=True)
class PublishOptions(ModelOptions):
    """The options of a command that publishes events."""

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
class WatchOptions(PublishOptions):
    """The options of a command that watches calls."""

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


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give typer the options of a group, one parameter each, where `command` takes the group as one parameter."""
    signature = inspect.signature(command, eval_str=True)
    (parameter,) = [p for p in signature.parameters.values() if is_dataclass(p.annotation)]
    name, group = parameter.name, parameter.annotation

    @functools.wraps(command)
    def run(**given: object) -> None:
        values = {field.name: given.pop(field.name) for field in fields(group)}
        command(**given, **{name: group(**values)})

    parameters = list(_expanded(signature, name, group))
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _expanded(signature: inspect.Signature, name: str, group: type[SettingsOptions]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for parameter in signature.parameters.values():
        if parameter.name != name:
            yield parameter
            continue
        for field in fields(group):
            yield inspect.Parameter(field.name, parameter.kind, default=field.default, annotation=hints[field.name])
