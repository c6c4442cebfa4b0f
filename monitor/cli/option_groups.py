"""Groups of options that several commands share: a command names a group as one parameter."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.options import (
    Assignments,
    ConfigFile,
    EvidenceOption,
    Insecure,
    Journal,
    NoPublish,
    Publish,
    ScreenOption,
    WeightsOption,
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

    weights: WeightsOption = None

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
    evidence: EvidenceOption = None
    screen: ScreenOption = None

    def _flags(self) -> tuple[Flag, ...]:
        return (
            *super()._flags(),
            ("--journal", "journal.path", _text(self.journal)),
            ("--evidence", "evidence_store.path", _text(self.evidence)),
            ("--screen", "dashboard.mode", self.screen),
        )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
