"""`monitor calibrate --marks`: set the alert threshold from alarms that people called false or confirmed.

Alarms alone can say how far to raise the threshold, not how far it could be lowered: below it nothing was seen.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.config.load import Settings
from monitor.config.schema import Config
from monitor.disk.file_names import file_part
from monitor.disk.private import make_folder
from monitor.engine.operating_point import STEP, Floats, OperatingPoint, alarms, at_threshold
from monitor.errors import BadInputError
from monitor.session.calibrate_genuine import write_profile
from monitor.session.file_scorer import FileScorer
from monitor.session.marked_alerts import MarkedAlert, MarkedAlerts, read_marked
from monitor.session.warnings import print_problems

CLASSES = {"false_alarm": "real", "confirmed": "fake"}
"""Folders of the clips, as `training finetune` wants them."""


@dataclass(frozen=True)
class ScoredAlert:
    """llr: of the blocks of speech in the evidence of its channel; None where there is no audio, or where it does not
    raise the alert again: peak_llr then has to do.
    """

    alert: MarkedAlert
    llr: Floats | None

    def opens(self, config: Config, threshold: float) -> bool:
        """Return whether it would alert at a threshold."""
        if self.llr is None:
            return self.alert.peak_llr >= threshold
        return alarms([self.llr], at_threshold(config.alerts, threshold)) > 0


def calibrate_marks(
    journals: Sequence[Path],
    evidence: Sequence[Path],
    per_hour: float,
    out: Path,
    clips: Path | None,
    settings: Settings,
) -> int:
    """Write the profile, and the clips where they are wanted. Returns 0, or 2 where audio could not be read.

    Raises BadInputError.
    """
    if out.exists():
        raise BadInputError(f"{out} is there already", "name another file with --out, or remove it")
    found = read_marked(journals, evidence)
    if not found.alerts:
        raise BadInputError(
            f"none of {found.unmarked} alerts is marked",
            "mark some as false_alarm or confirmed, on the page or by the API",
        )
    if clips is not None:
        print(f"wrote {write_clips(found, clips)} clips into {clips}")
    scored, unreadable = _score(found, settings.config)
    false = [s for s in scored if s.alert.verdict == "false_alarm"]
    point = find_point(false, found.speech_s / 3600.0, settings.config, per_hour)
    if point is None:
        raise BadInputError(
            f"no threshold up to evidence.max_llr leaves so few as {per_hour:g} false alarms an hour",
            "ask for more an hour; or see whether the voices that were marked false are real",
        )
    findings = list(_findings(found, scored, settings.config, point))
    print("\n".join(findings))
    write_profile(out, settings, iter(findings), point)
    print(f"wrote {out}: use it with --config {out}")
    return 2 if unreadable else 0


def find_point(false: Sequence[ScoredAlert], speech_h: float, config: Config, per_hour: float) -> OperatingPoint | None:
    """Return the lowest threshold, from that in force up, at which so few false alarms an hour of speech are left."""
    lowest, highest = config.alerts.alert_llr, config.evidence.max_llr
    for step in range(round((highest - lowest) / STEP) + 1):
        threshold = round(lowest + step * STEP, 2)
        left = sum(alert.opens(config, threshold) for alert in false)
        if left <= per_hour * speech_h:
            return OperatingPoint(threshold, left, left / speech_h if speech_h else 0.0, seen=True)
    return None


def write_clips(found: MarkedAlerts, folder: Path) -> int:
    """Copy the audio of marked alerts into real/ and fake/. Returns how many. Raises BadInputError."""
    count = 0
    try:
        for name in CLASSES.values():
            make_folder(folder / name)
        for alert in found.alerts:
            if alert.audio is not None:
                count += 1
                name = f"{count:05d}-{file_part(alert.alert)}{alert.audio.suffix}"
                shutil.copyfile(alert.audio, folder / CLASSES[alert.verdict] / name)
    except OSError as error:
        raise BadInputError(f"{folder}: {error.strerror}", "name a folder that can be written") from error
    return count


def _score(found: MarkedAlerts, config: Config) -> tuple[list[ScoredAlert], int]:
    """Score the audio of the alerts anew, with the weights and settings of now."""
    votes: list[Floats] = []

    def keep(_: Path, __: Sequence[str], channels: Sequence[Sequence[float]]) -> None:
        votes.extend(np.array(channel) for channel in channels)

    scorer = FileScorer(config, keep) if any(alert.audio for alert in found.alerts) else None
    scored, unreadable = [], 0
    for alert in found.alerts:
        votes.clear()
        llr: Floats | None = None
        if alert.audio is not None and scorer is not None:
            result = scorer.score(alert.audio)
            print_problems(result)
            unreadable += result.error is not None
            again = [channel for channel in votes if alarms([channel], config.alerts)]
            llr = again[0] if again else None
        scored.append(ScoredAlert(alert, llr))
    return scored, unreadable


def _findings(
    found: MarkedAlerts, scored: Sequence[ScoredAlert], config: Config, point: OperatingPoint
) -> Iterator[str]:
    """Describe what was measured, a line each."""
    false, confirmed = ([s for s in scored if s.alert.verdict == verdict] for verdict in ("false_alarm", "confirmed"))
    again = sum(s.llr is not None for s in scored)
    yield f"{found.speech_s / 3600.0:.2f} hours of speech; {len(false)} false alarms, {len(confirmed)} confirmed"
    yield f"{found.unmarked} alerts nobody marked: they count as neither"
    yield f"{again} of {len(scored)} scored anew from their evidence; of the others the highest llr then has to do"
    kept = sum(s.opens(config, point.alert_llr) for s in confirmed)
    yield f"alert_llr {config.alerts.alert_llr:g}, as it is: {len(false)} false alarms, {len(confirmed)} confirmed"
    yield (
        f"alert_llr {point.alert_llr:g}: {point.alarms} false alarms ({point.per_hour:.2f} an hour), "
        f"{kept} of {len(confirmed)} confirmed ones still open"
    )
    yield "alerts over a whole call (alerts.whole_llr) are counted, and not changed by this"
