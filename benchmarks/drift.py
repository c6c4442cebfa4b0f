"""python -m benchmarks.drift: an hour of real speech through one carried state. Does the score stay where it was?

Speech: the telephone prompts that Debian ships (packages asterisk-core-sounds-*), read by people in five languages, and
the bona fide clips of a corpus's dev split. Voices take turns of half a minute, so that every ten minutes hold the
same mixture. For comparison each turn is heard a second time, from a cold state: what differs is what was carried.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import log, write
from benchmarks.real_speech import PROMPTS, Hour, corpus_voice, make_hour, prompts, stacked
from benchmarks.trace import Log, Trace, fault, play
from model.config import BLOCK, BLOCK_S, SAMPLE_RATE
from model.weights_file import weights_hash, weights_path
from monitor.config.schema import Config, ModelSection
from monitor.engine.decision import ALERT, SUSPICIOUS
from monitor.engine.evidence import posterior
from monitor.errors import MonitorError
from training.corpora.clips import CorpusError

Floats = NDArray[Any]


@dataclass(frozen=True)
class Drift:
    """An hour as one call heard it (1 column) and as calls from a cold state heard its turns (a column each)."""

    hour: Hour
    carried: Trace
    fresh: Trace

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Return blocks (B,) of speech for which there is a verdict."""
        return (self.carried.speech & self.carried.enough)[:, 0]

    def alerts(self) -> NDArray[np.int64]:
        """Return blocks in which an alert opened."""
        return np.flatnonzero(self.carried.opened[:, 0])


def carried_minus_fresh(drift: Drift) -> Floats:
    """Return (turns,) mean difference in llr over the last third of a turn's speech, where older evidence has faded."""
    starts = drift.hour.starts // BLOCK
    differences = []
    for turn, (a, b) in enumerate(pairwise(starts.tolist())):
        speech = np.flatnonzero(drift.carried.speech[a:b, 0] & drift.fresh.speech[: b - a, turn])
        last = speech[len(speech) * 2 // 3 :]
        gap = drift.carried.llr[a + last, 0] - drift.fresh.llr[last, turn]
        differences.append(gap.mean() if len(last) else np.nan)
    return np.array(differences)


def trend(name: str, hours: Floats, values: Floats) -> dict[str, float]:
    """Return means of the first and the last ten minutes (of half the time, if that is shorter), and the slope per
    hour.
    """
    known = np.isfinite(values)
    hours, values = hours[known], values[known]
    window = min(10.0 / 60.0, hours[-1] / 2)
    return {
        f"{name}_mean_first_10_min": round(float(values[hours <= window].mean()), 4),
        f"{name}_mean_last_10_min": round(float(values[hours > hours[-1] - window].mean()), 4),
        f"{name}_slope_per_hour": round(float(np.polyfit(hours, values, 1)[0]), 4),
    }


def by_voice(drift: Drift) -> dict[str, dict[str, float]]:
    """Return minutes and mean p_fake of each voice."""
    voice = np.repeat(drift.hour.voices, np.diff(drift.hour.starts) // BLOCK)
    p = drift.carried.p_fake[:, 0]
    return {
        name: {
            "minutes": round(float((voice == name).sum()) * BLOCK_S / 60.0, 2),
            "p_fake_mean": round(float(p[drift.judged & (voice == name)].mean()), 4),
        }
        for name in dict.fromkeys(drift.hour.voices)
    }


def summarise(drift: Drift) -> dict[str, Any]:
    """Return the figures of the run. Means are over blocks of speech for which there is a verdict."""
    carried, judged = drift.carried, drift.judged
    hours = (np.arange(len(carried.llr)) + 1) * BLOCK_S / 3600.0
    state = carried.state[:, 0]
    turn_hours = drift.hour.starts[1:] / SAMPLE_RATE / 3600.0
    p = trend("p_fake", hours[judged], carried.p_fake[judged, 0])
    return {
        "minutes": round(hours[-1] * 60.0, 2),
        "net_speech_minutes": round(float(carried.speech.sum()) * BLOCK_S / 60.0, 2),
        "clips_heard_again": drift.hour.repeated,
        "false_alarms": len(drift.alerts()),
        "false_alarms_at_min": [round(float(b) * BLOCK_S / 60.0, 2) for b in drift.alerts()],
        "share_of_time_suspicious": round(float(np.mean(np.isin(state, (SUSPICIOUS, ALERT)))), 4),
        "share_of_time_alert": round(float(np.mean(state == ALERT)), 4),
        **{key.replace("p_fake_slope", "slope"): value for key, value in p.items()},
        **trend("llr", hours[judged], carried.llr[judged, 0]),
        **trend("carried_minus_fresh_llr", turn_hours, carried_minus_fresh(drift)),
        "voices": by_voice(drift),
    }


def draw(drift: Drift, config: Config, path: Path) -> None:
    """Draw p_fake over the hour with alerts, and below what the carried state changed."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from training.evaluate.drawing import BONA_FIDE, STYLE

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.0, 4.6))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        _curve(upper, drift, config)
        ends = drift.hour.starts[1:] / SAMPLE_RATE / 60.0
        lower.axhline(0.0, color="#888888", linewidth=0.8)
        lower.plot(ends, carried_minus_fresh(drift), "o", color=BONA_FIDE, ms=3)
        lower.set(xlabel="minutes", ylabel="carried - fresh\nstate, llr (nats)", xlim=(0, ends[-1]))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Software": None})


def _curve(axis: Any, drift: Drift, config: Config) -> None:
    from training.evaluate.drawing import BONA_FIDE, SPOOF

    carried, at = drift.carried, drift.alerts()
    p = np.where(drift.judged, carried.p_fake[:, 0], np.nan)
    axis.plot(*_means(p, 1.0), color="#b8cfe0", linewidth=0.6, label="mean of 1 s")
    axis.plot(*_means(p, 60.0), color=BONA_FIDE, linewidth=1.8, label="mean of 1 min")
    for llr, name in ((config.alerts.suspicious_llr, "suspicious"), (config.alerts.alert_llr, "alert")):
        level = float(posterior(np.array(llr), config.evidence.prior))
        axis.axhline(level, color="#888888", linewidth=0.8, linestyle=":")
        axis.annotate(name, (1.005, level), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    minutes = (at + 1) * BLOCK_S / 60.0
    axis.plot(minutes, carried.p_fake[at, 0], "v", color=SPOOF, ms=6, label=f"false alarm ({len(at)})")
    axis.set(ylim=(0, 1), ylabel="p_fake", title="Real speech through one carried state")
    axis.legend(loc="upper left", fontsize=8, ncols=3)


def _means(values: Floats, seconds: float) -> tuple[Floats, Floats]:
    """Return minutes, and the means over stretches of `seconds`; NaN where a stretch has none."""
    size = round(seconds / BLOCK_S)
    count = len(values) // size
    cut = values[: count * size].reshape(count, size)
    known = np.isfinite(cut).sum(1)
    means = np.where(known > 0, np.nansum(cut, axis=1) / np.maximum(known, 1), np.nan)
    return (np.arange(count) + 0.5) * seconds / 60.0, means


def measure(config: Config, voices: dict[str, list[Path]], minutes: float, picture: Path, log: Log) -> dict[str, Any]:
    """Play the hour and the turns, draw, and return the figures."""
    hour = make_hour(voices, minutes)
    log(f"{minutes:g} minutes of {len(voices)} voices through one carried state")
    carried = play(config, hour.audio[None], log)
    log("the same turns, each from a cold state")
    drift = Drift(hour, carried, play(config, stacked(hour), log))
    draw(drift, config, picture)
    return {"weights_sha256": weights_hash(weights_path(config.model.weights))} | summarise(drift)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description="Real speech, one carried state.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--weights", default="default", help="weights file")
    parser.add_argument("--corpus", type=Path, default=Path(os.environ.get("CORPUS_DIR", "../shared/corpus")))
    parser.add_argument("--prompts", type=Path, default=PROMPTS, help="folder with a folder of prompts a voice")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/drift.json"))
    parser.add_argument("--picture", type=Path, default=Path("docs/pictures/drift.png"))
    given = parser.parse_args(arguments)
    try:
        config = Config(model=ModelSection(weights=given.weights))
        voices = prompts(given.prompts) | corpus_voice(given.corpus)
        figures = measure(config, voices, given.minutes, given.picture, log)
    except (MonitorError, CorpusError) as error:
        sys.exit(fault(error))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write(given.out, figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
