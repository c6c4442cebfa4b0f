"""What a screen shows of an engine at this moment. Reads the engine's arrays from another thread: each number is
whole, and one block of age difference between two of them does not matter to an eye.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.config import SAMPLE_RATE
from monitor.engine.calls import Call
from monitor.engine.evidence import posterior
from monitor.engine.loop import Engine
from monitor.engine.traces import TIMELINE_STEP_S, Traces
from monitor.types import State
from monitor.views import ChannelView, View

MEASURED_S = 1.0
"""The speed of a recording is shown once it has been measured for so long."""


def channel_view(engine: Engine, traces: Traces, call: Call, row: int) -> ChannelView:
    """Return one channel of a call. No likelihood, evidence or family is shown where there is no verdict."""
    pool, feed, verdicts = engine.pool, call.feed_of(row), engine.pool.verdicts(slice(row, row + 1))
    state = verdicts.state_of(0)
    judged = state not in (State.LISTENING, State.UNKNOWN)
    return ChannelView(
        name=call.where(row).channel,
        state=state,
        reason=verdicts.reason_of(0),
        fault=feed.fault(row),
        p_fake=float(verdicts.p_fake[0]) if judged else float("nan"),
        llr=float(verdicts.llr[0]) if judged else float("nan"),
        net_speech_s=verdicts.net_speech_s(0),
        needed_speech_s=engine.config.evidence.min_speech_s,
        families=verdicts.families_of(0) if judged else (),
        level_dbfs=float(pool.level[row]),
        peak_dbfs=float(pool.peak_level[row]),
        timeline=traces.timeline(row),
        timeline_step_s=TIMELINE_STEP_S,
        spectrogram=traces.spectrogram(row),
        alert_since_s=float(verdicts.opened[0]) / SAMPLE_RATE if verdicts.open[0] else None,
        alerts=int(engine.reporter.alerts[row]),
        lost_s=feed.ring.lost / SAMPLE_RATE,
        bandwidth=verdicts.band_of(0),
        impairment=verdicts.impairment_of(0),
        scored_s=float(engine.reporter.scored_to[row]) / SAMPLE_RATE,
    )


def view(
    engine: Engine, traces: Traces, publisher: str, total_s: float | None, calls: Sequence[Call] | None = None
) -> View:
    """Return the calls as one screen, their channels side by side; all of the engine's where none are given."""
    latencies = np.array(list(engine.latency.recent_ms) or [np.nan])
    shown = engine.calls if calls is None else calls
    rows = [(call, row) for call in shown for row in range(call.rows.start, call.rows.stop)]
    thresholds = np.array([engine.config.alerts.suspicious_llr, engine.config.alerts.alert_llr])
    suspicious_p, alert_p = posterior(thresholds, engine.config.evidence.prior).tolist()
    names = {call.name for call in shown}
    elapsed = max((elapsed_s(engine, call) for call in shown), default=0.0)
    live, run_s = any(c.live for c in shown), engine.run_s()
    events = (e for e in tuple(engine.reporter.recent) if calls is None or not calls or e.call in names)
    return View(
        call=" + ".join(c.name for c in shown),
        source=" + ".join(c.origin for c in shown),
        live=live,
        elapsed_s=elapsed,
        total_s=None if total_s is None else max(total_s, elapsed),
        channels=tuple(channel_view(engine, traces, call, row) for call, row in rows),
        latency_p50_ms=float(np.percentile(latencies, 50)),
        latency_p99_ms=float(np.percentile(latencies, 99)),
        ring_fill_s=max((c.fill for c in engine.calls), default=0) / SAMPLE_RATE,
        lost_s=(engine.lost if not calls else sum(c.lost for c in calls)) / SAMPLE_RATE,
        model=engine.pool.scorer.weights_hash[:12],
        device=engine.pool.scorer.device,
        publisher=publisher,
        health=tuple(_faults(engine)),
        events=tuple(events),
        suspicious_p=suspicious_p,
        alert_p=alert_p,
        finished=engine.finished,
        alerts=engine.reporter.alerts_opened,
        speed=elapsed / run_s if run_s >= MEASURED_S and shown and not live else float("nan"),
    )


def elapsed_s(engine: Engine, call: Call) -> float:
    """Return the seconds of a call that were scored."""
    return float(engine.reporter.scored_to[call.rows].max(initial=0)) / SAMPLE_RATE


def _faults(engine: Engine) -> Sequence[str]:
    drops = [f"{s.name}: {s.dropped} events dropped" for s in engine.bus.status() if s.dropped]
    return [*engine.faults(), *drops]
