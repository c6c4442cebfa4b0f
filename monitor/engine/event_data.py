"""The data of each type of event, made of values and rounded to what is meant.

Probabilities have four decimals, log-likelihood ratios three (nats), seconds two. Everything is a function of the
audio, the weights and the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from math import inf, isinf

import numpy as np

from model.config import BLOCK_S, SAMPLE_RATE
from model.figures import Kind
from monitor.engine.calls import Call, CallChannel
from monitor.engine.decision import STATES
from monitor.engine.evidence import posterior
from monitor.engine.results import BANDS, REASONS, Ints, Results, Verdicts
from monitor.engine.segments import ClosedStream
from monitor.events.wire import SharedData
from monitor.scores import severity
from monitor.types import Event, State

SHOWN_FAMILIES = 3
Data = dict[str, object]
_STATES = tuple(state.value for state in STATES)
_REASONS = tuple(REASONS[kind].value for kind in Kind)


def families(found: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Return the most likely synthesis families: name to probability."""
    return {name: round(p, 3) for name, p in found[:SHOWN_FAMILIES]}


def figures(verdicts: Verdicts, i: int, model: str) -> Data:
    """Return the fields that every event of a channel has, of the i-th row. model: first digits of the weights'
    hash."""
    return {
        "state": verdicts.state_of(i).value,
        "p_fake": round(float(verdicts.p_fake[i]), 4),
        "llr": round(float(verdicts.llr[i]), 3),
        "net_speech_s": round(verdicts.net_speech_s(i), 2),
        "families": families(verdicts.families_of(i)),
        "bandwidth": verdicts.band_of(i),
        "model": model,
    }


def scores(results: Results, due: Ints, channels: Sequence[CallChannel], model: str) -> list[Event]:
    """Score events of the rows at the places `due` of the results, whose channels are given: all in one pass."""
    columns = zip(
        channels,
        results.end[due].tolist(),
        [_STATES[state] for state in results.state[due].tolist()],
        results.p_fake[due].tolist(),
        results.llr[due].tolist(),
        (results.net_speech[due] * BLOCK_S).tolist(),
        results.family_names.likeliest(results.families[due], SHOWN_FAMILIES),
        [BANDS[band] for band in results.bandwidth[due].tolist()],
        [_REASONS[kind] for kind in results.kind[due].tolist()],
        results.warm[due].tolist(),
        strict=True,
    )
    return [
        Event(
            "score",
            at.call,
            at.channel,
            end,
            SharedData(
                state=state,
                p_fake=round(p_fake, 4),
                llr=round(llr, 3),
                net_speech_s=round(net_speech_s, 2),
                families=families(found),
                bandwidth=band,
                model=model,
                reason=reason,
                warm=warm,
            ),
        )
        for at, end, state, p_fake, llr, net_speech_s, found, band, reason, warm in columns
    ]


def state_changed(at: CallChannel, end: int, data: Data, before: int, why: str) -> Event:
    """Make the event of a new verdict. data: of figures(). why: in words."""
    return Event("state.changed", at.call, at.channel, end, data | {"from": STATES[before].value, "why": why})


def alert(
    at: CallChannel, end: int, verdicts: Verdicts, i: int, model: str, *, what: str, number: int, why: str
) -> Event:
    """Return an alert of the i-th row. what: opened, updated or closed. number: 1 for the channel's first alert."""
    opened = int(verdicts.opened[i])
    data = figures(verdicts, i, model) | {
        "alert": f"{at.call}/{at.channel}/{number}",
        "opened_sample": opened,
        "opened_s": round(opened / SAMPLE_RATE, 2),
        "duration_s": round((end - opened) / SAMPLE_RATE, 2),
        "peak_llr": round(float(verdicts.peak[i]), 3),
        "why": why,
    }
    return Event(f"alert.{what}", at.call, at.channel, end, data)


def health(call: str, channel: str, sample: int, code: str, detail: str, usable: bool) -> Event:
    """Return the source or the model changed for the worse or the better. channel: "" = all of the call."""
    return Event("health", call, channel, sample, {"code": code, "detail": detail, "usable": usable})


def call_started(call: Call, *, model: str, prior: float) -> Event:
    """Make the event call.started."""
    data: Data = {
        "source": call.origin,
        "channels": list(call.channels),
        "details": dict(call.details),
        "sample_rate": SAMPLE_RATE,
        "model": model,
        "prior": prior,
    }
    if call.marks:
        data["provenance"] = [asdict(mark) for mark in call.marks]
    return Event("call.started", call.name, "", 0, data)


def segments(stream: ClosedStream, prior: float) -> Data:
    """Return the stretches of a channel that has ended, and the highest llr of its recent speech."""
    peaks = np.array([segment.peak for segment in stream.segments])
    shares = posterior(peaks, prior).tolist()
    said: Data = {
        **_highest(stream.highest),
        "segments": [
            {
                "start_s": round(segment.start / SAMPLE_RATE, 2),
                "end_s": round(segment.end / SAMPLE_RATE, 2),
                "state": STATES[segment.state].value,
                "llr": None if isinf(segment.peak) else round(segment.peak, 3),
                "p_fake": None if isinf(segment.peak) else round(share, 4),
            }
            for segment, share in zip(stream.segments, shares, strict=True)
        ],
    }
    return said | ({"segments_left_out": stream.left_out} if stream.left_out else {})


def outcome(streams: Sequence[ClosedStream], channels: Iterable[Data]) -> Data:
    """Return the verdict on a whole call: the worst of its channels; unknown where there was too little speech."""
    worst = max((stream.worst for stream in streams), key=severity, default=State.UNKNOWN)
    heard = sum(float(str(channel["net_speech_s"])) for channel in channels)
    return {
        "verdict": (State.UNKNOWN if worst == State.LISTENING else worst).value,
        **_highest(max((stream.highest for stream in streams), default=-inf)),
        "speech_s": round(heard, 2),
    }


def _highest(llr: float) -> Data:
    return {} if isinf(llr) else {"highest_llr": round(llr, 3)}


def call_ended(
    call: str, sample: int, why: str, lost: int, channels: Mapping[str, Data], outcome: Mapping[str, object]
) -> Event:
    """Return the last figures of each channel: of all its speech, with the number of its alerts. lost: samples."""
    data: Data = {"why": why, "duration_s": round(sample / SAMPLE_RATE, 2), "lost_s": round(lost / SAMPLE_RATE, 2)}
    return Event("call.ended", call, "", sample, data | {"channels": dict(channels), **outcome})
