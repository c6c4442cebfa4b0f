"""`monitor calibrate`: set the alert threshold from genuine calls of one's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from monitor.config.load import Settings
from monitor.config.schema import Config
from monitor.config.section import is_masked
from monitor.engine.operating_point import Floats, OperatingPoint, alarms, find_threshold, hours
from monitor.errors import BadInputError
from monitor.session.file_scorer import FileScorer
from monitor.session.find_recordings import Recordings
from monitor.session.warnings import print_problems

KEY = "alerts.alert_llr"
NEVER_SAW = 3.0
"""Where no alarm came in so many hours, the rate is below 3 / hours with 95 % confidence (the rule of three)."""


def calibrate(folder: Path, per_hour: float, out: Path, settings: Settings) -> int:
    """Score the recordings, write the profile. Returns 0, or 2 where recordings could not be read.

    Raises BadInputError.
    """
    files = list(Recordings([folder]))
    if out.exists():
        raise BadInputError(f"{out} is there already", "name another file with --out, or remove it")
    llr, unreadable = _score(files, settings.config)
    config = settings.config.alerts
    highest = settings.config.evidence.max_llr
    try:
        found = find_threshold(llr, config, per_hour, highest)
    except ValueError as error:
        raise BadInputError(str(error), "give more recordings of genuine calls") from error
    if found is None:
        raise BadInputError(
            f"no threshold up to evidence.max_llr = {highest:g} has so few as {per_hour:g} false alarms an hour",
            "ask for more an hour; and see whether all these recordings are of real voices: monitor score FILE...",
        )
    print("\n".join(_findings(llr, settings.config, found)))
    write_profile(out, settings, _findings(llr, settings.config, found), found)
    print(f"wrote {out}: use it with --config {out}")
    return 2 if unreadable else 0


def _score(files: Sequence[Path], config: Config) -> tuple[list[Floats], int]:
    """Return the llr of every channel's speech, and how many files could not be read. Says how far it is."""
    llr: list[Floats] = []

    def keep(path: Path, channels: Sequence[str], votes: Sequence[Sequence[float]]) -> None:
        llr.extend(np.array(channel) for channel in votes)
        loudest = max((max(channel, default=-np.inf), name) for channel, name in zip(votes, channels, strict=True))
        if loudest[0] >= config.alerts.alert_llr:
            print(f"{path}, {loudest[1]}: up to {loudest[0]:+.1f} nats", file=sys.stderr)

    unreadable = 0
    for done, scored in enumerate(FileScorer(config, keep).run(files), 1):
        print_problems(scored)
        unreadable += scored.error is not None
        if done % 20 == 0:
            print(f"{done} of {len(files)} recordings, {hours(llr):.2f} hours of speech", file=sys.stderr, flush=True)
    return llr, unreadable


def _findings(llr: Sequence[Floats], config: Config, found: OperatingPoint) -> Iterator[str]:
    """Describe what was measured, a line each."""
    speech_h, before = hours(llr), alarms(llr, config.alerts)
    yield f"{speech_h:.2f} hours of genuine speech on {len(llr)} channels"
    yield f"alert_llr {config.alerts.alert_llr:g}, as it is: {before} false alarms, {before / speech_h:.2f} an hour"
    how = "counted" if found.seen else "continued from the tail of the scores, for there is too little speech to count"
    yield f"alert_llr {found.alert_llr:g}: {found.alarms} false alarms, {found.per_hour:.2f} an hour ({how})"
    yield f"alerts over a whole call (whole_llr {config.alerts.whole_llr:g}) are not among them"
    if not found.alarms:
        yield f"none was seen, which proves no more than at most {NEVER_SAW / speech_h:.2f} an hour (95 %)"


def write_profile(out: Path, settings: Settings, findings: Iterator[str], found: OperatingPoint) -> None:
    """Write the settings that are neither default nor secret, and the threshold, which lowers others below it.

    Raises BadInputError.
    """
    given = {key: value for key, value, origin in settings.rows() if origin != "default"}
    changed = {key: value for key, value in given.items() if not is_masked(value)}
    alerts = settings.config.alerts
    changed |= {
        f"alerts.{key}": found.alert_llr
        for key in ("suspicious_llr", "close_llr")
        if getattr(alerts, key) > found.alert_llr
    }
    changed[KEY] = found.alert_llr
    lines = [f"# {line}" for line in findings]
    lines += [f"# {key} is a secret and not written here" for key in given if key not in changed]
    for section in dict.fromkeys(key.rpartition(".")[0] for key in changed):
        lines += ["", f"[{section}]"]
        lines += [f"{k.rpartition('.')[2]} = {_toml(v)}" for k, v in changed.items() if k.rpartition(".")[0] == section]
    try:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{out} cannot be written: {error.strerror}", "name another file with --out") from error


def _toml(value: object) -> str:
    """Return a setting as TOML writes it (https://toml.io)."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + " }"
    return str(value)
