"""Results of other measurements that a report can show: files that the benchmarks of calls and of drift write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.corpora.clips import CorpusError, text_of
from training.evaluate.drawing import BONA_FIDE, SPOOF, panels

Result = Mapping[str, Any]


@dataclass(frozen=True)
class BenchmarkResults:
    """calls: of python -m benchmarks.calls. drift: of python -m benchmarks.drift. None where there is none."""

    calls: Result | None = None
    drift: Result | None = None


def read_result(path: Path | None, key: str) -> Result | None:
    """Return a result that holds key. Raises CorpusError for a file that is none."""
    if path is None:
        return None
    try:
        found = json.loads(text_of(path))
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path} is not JSON ({error})") from error
    if not isinstance(found, dict) or key not in found:
        raise CorpusError(f"{path} is no result of this kind: it has no {key}")
    return found


def headline(result: Result) -> Iterator[tuple[str, str]]:
    """Yield the names and values of the plain figures, those of the operating point of calls among them."""
    for name, value in (result | result.get("at_default", {}) if isinstance(result, dict) else result).items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name.replace("_", " "), f"{value:g}"


def draw_calls(result: Result) -> Any:
    """Draw fakes detected, and net speech until then, against false alarms an hour; a point a threshold."""
    points, at = result["sweep"], result["at_default"]
    figure, axes = panels(1, 2, 4.0, 3.2)
    label = f"alert_llr {at['alert_llr']:g}"
    alarms = [p["false_alarms_per_hour"] for p in points]
    for axis, key, scale, title in (
        (axes[0, 0], "detected", 100.0, "fakes detected (%)"),
        (axes[0, 1], "net_speech_to_detect_s", 1.0, "median net speech to detect (s)"),
    ):
        values = [np.nan if p[key] is None else scale * p[key] for p in points]
        axis.plot(alarms, values, "o-", ms=3, color=BONA_FIDE)
        if at[key] is not None:
            axis.plot(at["false_alarms_per_hour"], scale * at[key], "D", color=SPOOF, label=label)
        axis.set(xlabel="false alarms an hour", title=title, ylim=(0, None))
        axis.set_xscale("symlog", linthresh=1.0)
        axis.set_xticks([t for t in (0, 1, 10, 100) if t <= max(1.0, *alarms)])
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_xlim(left=-0.2)
        axis.legend(fontsize=8, loc="best")
    return figure
