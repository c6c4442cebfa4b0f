"""Views to draw in tests: a call of two channels, one clear and one that raises an alert."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from monitor.types import Event, Reason, State
from monitor.views import ChannelView, ShardView, View

NAN = float("nan")
FAULT = "device lost: USB Audio went away"
SHARDS = (ShardView("shard-1", "up", "node-a", 40, 0.34, 21.5, 1), ShardView("shard-2", "starting", "", 0, 0.0, 0.0, 0))


def channel(name: str = "caller", **changes: object) -> ChannelView:
    """A channel in an alert, 30 s into the call."""
    ramp = np.concatenate([np.full(8, NAN), np.linspace(0.05, 0.97, 52)]).astype(np.float32)
    bands = np.linspace(-90.0, -20.0, 256 * 24, dtype=np.float32).reshape(256, 24)
    view = ChannelView(
        name=name,
        state=State.ALERT,
        reason=Reason.SPEECH,
        fault="",
        p_fake=0.9712,
        llr=3.52,
        net_speech_s=14.2,
        needed_speech_s=2.0,
        families=(("gan-vocoder", 0.62), ("diffusion-vocoder", 0.21), ("autoregressive-vocoder", 0.11)),
        level_dbfs=-18.3,
        peak_dbfs=-6.0,
        timeline=ramp,
        timeline_step_s=0.5,
        spectrogram=bands,
        alert_since_s=15.3,
        alerts=1,
        lost_s=0.0,
    )
    return replace(view, **changes)  # type: ignore[arg-type]


def clear(name: str = "agent", **changes: object) -> ChannelView:
    quiet = {"state": State.CLEAR, "p_fake": 0.0312, "llr": -3.4, "alert_since_s": None, "alerts": 0}
    return channel(name, **(quiet | changes))


def silent(name: str = "guest", **changes: object) -> ChannelView:
    """Nothing heard yet."""
    nothing = {
        "state": State.LISTENING,
        "reason": Reason.DTMF,
        "p_fake": NAN,
        "llr": NAN,
        "net_speech_s": 0.8,
        "families": (),
        "level_dbfs": -math.inf,
        "peak_dbfs": -math.inf,
        "timeline": np.zeros(0, dtype=np.float32),
        "spectrogram": np.zeros((0, 24), dtype=np.float32),
        "alert_since_s": None,
        "alerts": 0,
    }
    return channel(name, **(nothing | changes))


def broken(name: str = "line 4", **changes: object) -> ChannelView:
    return silent(name, **({"state": State.UNKNOWN, "fault": FAULT, "reason": Reason.GAP, "lost_s": 3.2} | changes))


def alert_event(what: str, second: float, seq: int) -> Event:
    data = {"alert": "call-7/caller/1", "p_fake": 0.9712, "duration_s": second - 15.3, "why": "because"}
    return Event(f"alert.{what}", "call-7", "caller", round(second * 16_000), data, seq)


EVENTS = (
    Event("call.started", "call-7", "", 0, {"source": "a test"}, 1),
    Event("state.changed", "call-7", "caller", 245_000, {"from": "clear", "state": "alert", "why": "evidence"}, 2),
    alert_event("opened", 15.3, 3),
    alert_event("updated", 20.3, 4),
    alert_event("updated", 25.3, 5),
)


def view(*channels: ChannelView, **changes: object) -> View:
    """A live call of the channels, default one in an alert and one that is clear."""
    whole = View(
        call="call-7",
        source="microphone: USB Audio",
        live=True,
        elapsed_s=30.0,
        total_s=None,
        channels=channels or (channel(), clear()),
        latency_p50_ms=21.3,
        latency_p99_ms=38.9,
        ring_fill_s=0.12,
        lost_s=0.0,
        model="3f2a9c01b7e4",
        device="cpu",
        publisher="tcp://127.0.0.1:5556",
        health=("journal: writing",),
        events=EVENTS,
        suspicious_p=0.731,
        alert_p=0.924,
        finished=False,
    )
    whole = replace(whole, alerts=sum(c.alerts for c in whole.channels))
    return replace(whole, **changes)  # type: ignore[arg-type]
