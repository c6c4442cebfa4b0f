"""python -m benchmarks.calls: time to detect against false alarms per hour, on calls made of a corpus's dev split.

Every call goes through the pool of the live program; the decision is then taken again from the recorded evidence for
each threshold, by the same decide(). A false alarm is an alert that opens before the call turns fake. A fake counts as
detected when an alert opens on it; a call whose false alarm is still open when it turns is left out of that count.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from benchmarks.common import log, write
from benchmarks.synthetic_calls import (
    FAKE,
    FAKE_S,
    GENUINE,
    NEVER,
    TURNS,
    Ints,
    SyntheticCall,
    SyntheticCaller,
    onsets,
    stack,
)
from benchmarks.trace import Trace, fault, keep, play
from model.config import BLOCK, BLOCK_S
from model.weights_file import weights_hash, weights_path
from monitor.config.schema import AlertSection, Config, EvidenceSection, ModelSection
from monitor.engine.decision import DecisionInput, decide, init_decision
from monitor.engine.operating_point import at_threshold
from monitor.errors import MonitorError
from training.channels.channels import CLEAN
from training.corpora.bank import build_bank
from training.corpora.clips import CorpusError
from training.evaluate.trials import check_channels, choose

CHANNELS = (CLEAN, "g711-mu", "opus-wide")
THRESHOLDS = tuple(np.round(np.arange(0.25, 6.01, 0.25), 2).tolist())
FEW_SYSTEMS = 20
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Point:
    """One alert threshold. genuine_hours: net genuine speech. at_most_per_hour: upper end of the one-sided 95 % Poisson
    interval. detected: share of the fakes. Times are medians over detected fakes, from the onset to the alert.
    """

    alert_llr: float
    false_alarms: int
    genuine_hours: float
    false_alarms_per_hour: float
    at_most_per_hour: float
    fakes: int
    detected: float
    net_speech_to_detect_s: float
    audio_to_detect_s: float


def alerts_at(trace: Trace, config: AlertSection) -> tuple[Flags, Flags]:
    """Decide again from the recorded evidence, for other thresholds. Returns opened and open (B, N)."""
    decision, opened, is_open = init_decision(trace.llr.shape[1]), [], []
    usable = np.ones(trace.llr.shape[1], dtype=np.bool_)
    whole = np.where(np.cumsum(trace.speech, axis=0) * BLOCK_S >= config.whole_after_s, trace.whole, -np.inf)
    for b in range(len(trace.llr)):
        end = np.full(len(usable), (b + 1) * BLOCK)
        heard = trace.llr[b], trace.speech[b], trace.enough[b]
        inputs = DecisionInput(*heard, end, usable, whole[b], hard=trace.hard[b])
        decision, changes = decide(config, decision, inputs)
        opened.append(changes.opened)
        is_open.append(decision.open)
    return np.array(opened), np.array(is_open)


def times(trace: Trace, onset: Ints, opened: Flags, is_open: Flags) -> tuple[Floats, Floats]:
    """Return (N,) net speech and audio in seconds from the onset of a fake to its alert; infinite where there was none,
    NaN where there is no fake or an alert was open already.
    """
    net, audio = np.full(len(onset), np.nan), np.full(len(onset), np.nan)
    for i, start in enumerate(onset.tolist()):
        if start == NEVER or (start and is_open[start - 1, i]):
            continue
        found = np.flatnonzero(opened[start:, i])
        net[i] = audio[i] = np.inf
        if len(found):
            net[i] = trace.speech[start : start + found[0] + 1, i].sum() * BLOCK_S
            audio[i] = (found[0] + 1) * BLOCK_S
    return net, audio


def point(trace: Trace, onset: Ints, config: AlertSection) -> tuple[Point, Floats]:
    """Return figures at one threshold, and the net speech that each fake needed. onset: as onsets() gives it."""
    opened, is_open = alerts_at(trace, config)
    genuine = np.arange(len(trace.llr))[:, None] < onset
    hours = float((trace.speech & genuine).sum()) * BLOCK_S / 3600.0
    false_alarms = int((opened & genuine).sum())
    net, audio = times(trace, onset, opened, is_open)
    judged, detected = ~np.isnan(net), np.isfinite(net)
    found = Point(
        alert_llr=config.alert_llr,
        false_alarms=false_alarms,
        genuine_hours=hours,
        false_alarms_per_hour=false_alarms / hours if hours else float("nan"),
        at_most_per_hour=float(chi2.ppf(0.95, 2 * false_alarms + 2)) / 2 / hours if hours else float("nan"),
        fakes=int(judged.sum()),
        detected=float(detected.sum() / judged.sum()) if judged.any() else float("nan"),
        net_speech_to_detect_s=_median(net[detected]),
        audio_to_detect_s=_median(audio[detected]),
    )
    return found, net


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def groups(calls: Sequence[SyntheticCall], net: Floats) -> dict[str, dict[str, dict[str, float]]]:
    """Share detected and median net speech of the fakes of each kind, part, family and channel, and of each system
    where there are at most FEW_SYSTEMS.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for column in ("kind", "part", "system", "family", "channel"):
        names = np.array([getattr(c, column) for c in calls])
        known = sorted(set(names[~np.isnan(net)].tolist()))
        for name in known if column != "system" or len(known) <= FEW_SYSTEMS else []:
            times_s = net[(names == name) & ~np.isnan(net)]
            finite = times_s[np.isfinite(times_s)]
            found.setdefault(column, {})[name] = {
                "fakes": len(times_s),
                "detected": float(len(finite) / len(times_s)),
                "net_speech_to_detect_s": _median(finite),
            }
    return found


def draw(points: Sequence[Point], at: Point, calls: Sequence[SyntheticCall], net: Floats, path: Path) -> None:
    """Draw detected fakes against false alarms, and over the seconds of net speech."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from training.evaluate.drawing import BONA_FIDE, SPOOF, STYLE

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 3.6))
        left, right = figure.subplots(1, 2, sharey=True)
        left.plot([p.false_alarms_per_hour for p in points], [100 * p.detected for p in points], "o-", ms=3)
        left.plot(at.false_alarms_per_hour, 100 * at.detected, "D", color=SPOOF, label=f"alert_llr {at.alert_llr:g}")
        left.set(xlabel="false alarms per hour of genuine speech", ylabel="fakes detected (%)", ylim=(0, 100))
        left.set_title("For every alert threshold")
        left.legend(loc="lower right")
        kinds = np.array([c.kind for c in calls])
        for kind, colour in ((FAKE, BONA_FIDE), (TURNS, SPOOF)):
            some = np.sort(net[(kinds == kind) & ~np.isnan(net)])
            known = some[np.isfinite(some)]
            known = np.concatenate([[0.0], known, [max(FAKE_S / 2, known.max(initial=0.0))]])
            share = 100 * np.minimum(np.arange(len(known)), len(known) - 2) / max(len(some), 1)
            name = {FAKE: "fake from the start", TURNS: "genuine that turns fake"}[kind]
            right.step(known, share, where="post", color=colour, label=f"{name} ({len(some)})")
        right.set(xlabel="net speech since the fake began (s)", xlim=(0, None), title=f"At alert_llr {at.alert_llr:g}")
        right.legend(loc="lower right", fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Software": None})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return (round(value, 4) if np.isfinite(value) else None) if isinstance(value, float) else value


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Make the calls, play them, sweep the threshold, draw; returns the figures."""
    check_channels(given.channel)
    evidence = EvidenceSection() if given.memory_s is None else EvidenceSection(memory_s=given.memory_s)
    config = Config(model=ModelSection(weights=given.weights), evidence=evidence)
    given.cache.mkdir(parents=True, exist_ok=True)
    clips = [c for c in choose(given.corpus, given.split) if not given.part or c.part in given.part]
    clips = [c for c in clips if not (given.fakes and c.label) or c.part in given.fakes]
    if len({c.label for c in clips}) < 2:
        raise CorpusError("calls need bona fide clips and fakes: name other --part or --fakes")
    bank = build_bank(clips, given.cache, 2, lambda *_: None)
    caller = SyntheticCaller(bank, given.channel, seconds=given.seconds)
    calls = [caller.call(i) for i in range(given.calls)]
    log(f"{len(calls)} calls, {sum(len(c.audio) for c in calls) / 16_000 / 3600:.2f} hours")
    trace = play(config, stack([c.audio for c in calls]), log)
    onset, weights_sha256 = onsets(calls), weights_hash(weights_path(config.model.weights))
    if given.keep:
        keep(given.keep, trace, onset, weights_sha256)
    log("deciding for every threshold")
    points = [
        point(trace, onset, at_threshold(config.alerts, t))[0] for t in THRESHOLDS if t <= config.evidence.max_llr
    ]
    at, net = point(trace, onset, config.alerts)
    draw(points, at, calls, net, given.picture)
    return {
        "weights_sha256": weights_sha256,
        "memory_s": config.evidence.memory_s,
        "calls": {kind: sum(c.kind == kind for c in calls) for kind in (GENUINE, FAKE, TURNS)},
        "of_one_speaker": sum(c.same_speaker for c in calls),
        "distinct_genuine_minutes": float(np.diff(bank.bounds)[caller.real].sum()) / 16_000 / 60,
        "at_default": asdict(at),
        "by_group": groups(calls, net),
        "sweep": [asdict(p) for p in points],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description="Time to detect, false alarms.")
    corpus = Path(os.environ.get("CORPUS_DIR", "../shared/corpus"))
    parser.add_argument("--corpus", type=Path, nargs="+", default=[corpus])
    parser.add_argument("--memory-s", type=float, help="evidence.memory_s (default: as shipped)")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--part", nargs="*", default=[], help="parts of the corpus (default: all)")
    parser.add_argument("--fakes", nargs="*", default=[], help="parts that the fakes come from (default: all)")
    parser.add_argument("--calls", type=int, default=240)
    parser.add_argument("--seconds", type=float, help="length of every call, genuine or fake throughout")
    parser.add_argument("--channel", nargs="+", default=list(CHANNELS))
    parser.add_argument("--weights", default="default", help="weights file")
    parser.add_argument("--cache", type=Path, default=Path("data/cache"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/calls.json"))
    parser.add_argument("--keep", type=Path, help="keep the evidence of every block here, for benchmarks.rules")
    parser.add_argument("--picture", type=Path, default=Path("docs/pictures/calls.png"))
    given = parser.parse_args(arguments)
    try:
        figures = _plain(measure(given))
    except (MonitorError, CorpusError) as error:
        sys.exit(fault(error))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write(given.out, figures)
    print(json.dumps({k: v for k, v in figures.items() if k != "sweep"}, indent=1))


if __name__ == "__main__":
    main()
