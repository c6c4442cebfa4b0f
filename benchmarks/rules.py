"""python -m benchmarks.rules: what other alert rules make of calls that were played once.

`python -m benchmarks.calls --keep FILE` and `python -m benchmarks.false_alarms --keep FILE` keep the evidence of every
block; it is decided again here, by the same decide(), for every combination of the values that are given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from zipfile import BadZipFile

from benchmarks.calls import Point, point
from benchmarks.common import log, table
from benchmarks.trace import fault, kept
from monitor.config.schema import AlertSection
from monitor.engine.operating_point import at_threshold
from monitor.errors import BadInputError

SETTINGS = ("alert_llr", "alert_hold_s", "whole_llr", "whole_after_s")


def rules(values: Sequence[Sequence[float]]) -> Iterator[AlertSection]:
    """Yield every combination of values of SETTINGS."""
    for alert_llr, *others in product(*values):
        changed = dict(zip(SETTINGS[1:], others, strict=True))
        yield at_threshold(AlertSection(), alert_llr).model_copy(update=changed)


def cell(found: Point) -> str:
    """Write false alarms in hours of genuine speech, the share of fakes detected, and median net speech and audio until
    then.
    """
    told = f"{found.false_alarms} in {found.genuine_hours:.2f} h"
    if not found.fakes:
        return told
    return f"{told}, {100 * found.detected:.0f} %, {found.net_speech_to_detect_s:.1f}, {found.audio_to_detect_s:.1f} s"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rules", description="Other alert rules, same calls.")
    parser.add_argument("kept", type=Path, nargs="+", help="files of --keep")
    for name in SETTINGS:
        default = getattr(AlertSection(), name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, nargs="+", default=[default])
    given = parser.parse_args(arguments)
    try:
        held = [kept(path) for path in given.kept]
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        sys.exit(fault(BadInputError(f"cannot read what was kept: {error}", "name files of --keep")))
    if len({weights_sha256 for *_, weights_sha256 in held}) > 1:
        log("note: these were played with different weights")
    rows = []
    for rule in rules([getattr(given, name) for name in SETTINGS]):
        cells = [cell(point(trace, onset, rule)[0]) for trace, onset, _ in held]
        rows.append([" ".join(f"{getattr(rule, name):g}" for name in SETTINGS), *cells])
        log(" | ".join(map(str, rows[-1])))
    print(table([" ".join(SETTINGS), *(path.stem for path in given.kept)], rows))


if __name__ == "__main__":
    main()
