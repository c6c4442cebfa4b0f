"""What the monitor says: the data of each type of event, rounded to what is meant.

Probabilities have four decimals, log-likelihood ratios three (nats), seconds two. Everything is a function of the
audio, the weights and the configuration.
"""

from __future__ import annotations

from model.config import BLOCK_S, SAMPLE_RATE
from monitor.engine.calls import Where
from monitor.engine.decision import STATES
from monitor.engine.pool import Pool
from monitor.types import Event

SHOWN_FAMILIES = 3


def families(pool: Pool, row: int, *, whole: bool = False) -> dict[str, float]:
    """The most likely synthesis families, were this synthetic: name to probability."""
    return {name: round(p, 3) for name, p in pool.families(row, whole=whole)[:SHOWN_FAMILIES]}


def _figures(pool: Pool, row: int, llr: float, p_fake: float) -> dict[str, object]:
    return {
        "state": STATES[int(pool.decision.state[row])].value,
        "p_fake": round(p_fake, 4),
        "llr": round(llr, 3),
        "net_speech_s": round(float(pool.evidence.blocks[row]) * BLOCK_S, 2),
        "families": families(pool, row),
        "bandwidth": pool.band(row),
        "model": pool.detector.weights_hash[:12],
    }


def score(pool: Pool, at: Where, end: int, llr: float, p_fake: float, warm: bool) -> Event:
    """What the channel's recent speech says."""
    data = _figures(pool, at.row, llr, p_fake) | {"reason": pool.reason(at.row).value, "warm": warm}
    return Event("score", at.call, at.channel, end, data)


def state_changed(pool: Pool, at: Where, end: int, llr: float, p_fake: float, before: int, why: str) -> Event:
    """The verdict is another one now; why: in words."""
    data = _figures(pool, at.row, llr, p_fake) | {"from": STATES[before].value, "why": why}
    return Event("state.changed", at.call, at.channel, end, data)


def alert(pool: Pool, at: Where, end: int, llr: float, p_fake: float, what: str, number: int, why: str) -> Event:
    """what: opened, updated or closed. number: 1 for the channel's first alert."""
    opened = int(pool.decision.opened[at.row])
    data = _figures(pool, at.row, llr, p_fake) | {
        "alert": f"{at.call}/{at.channel}/{number}",
        "opened_sample": opened,
        "opened_s": round(opened / SAMPLE_RATE, 2),
        "duration_s": round((end - opened) / SAMPLE_RATE, 2),
        "peak_llr": round(float(pool.decision.peak[at.row]), 3),
        "why": why,
    }
    return Event(f"alert.{what}", at.call, at.channel, end, data)


def health(call: str, channel: str, sample: int, code: str, detail: str, usable: bool) -> Event:
    """The source or the model changed for the worse or the better. channel: "" = all of the call."""
    return Event("health", call, channel, sample, {"code": code, "detail": detail, "usable": usable})


def call_started(call: str, source: str, channels: tuple[str, ...], details: dict[str, str], pool: Pool) -> Event:
    """From here on the channels are scored. details: what the tap knows of the call, such as its direction."""
    data = {
        "source": source,
        "channels": list(channels),
        "details": details,
        "sample_rate": SAMPLE_RATE,
        "model": pool.detector.weights_hash[:12],
        "prior": pool.config.evidence.prior,
    }
    return Event("call.started", call, "", 0, data)


def call_ended(call: str, sample: int, why: str, lost: int, channels: dict[str, dict[str, object]]) -> Event:
    """The last word on each channel. lost: samples."""
    data = {"why": why, "duration_s": round(sample / SAMPLE_RATE, 2), "lost_s": round(lost / SAMPLE_RATE, 2)}
    return Event("call.ended", call, "", sample, data | {"channels": channels})


def last_word(pool: Pool, at: Where, llr: float, p_fake: float, alerts: int) -> dict[str, object]:
    """A channel's part of call.ended: of all its speech."""
    figures = _figures(pool, at.row, llr, p_fake)
    return figures | {"families": families(pool, at.row, whole=True), "alerts": alerts}
