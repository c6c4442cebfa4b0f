"""decide(): from log-likelihood ratios to states and alerts. Pure, over arrays, one entry a stream.

Hold times count net speech, so that silence neither opens nor closes an alert. An alert that is open stays open
while the state is unknown; it closes on evidence, or with the call. Two thresholds open one: strong evidence in recent
speech, held, and a weak but steady excess over the whole call. Clear is a verdict, too: it needs evidence for a person,
in a voice that can be judged. Without either the state is undecided, and so is one that is hard to judge and not in
alert.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK_S, SAMPLE_RATE
from monitor.config.schema import AlertSection
from monitor.engine.stream_values import StreamValues
from monitor.types import State

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

HARD_MARGIN = 0.3
"""Nats. So much more evidence over the whole call opens an alert on a voice that is hard to judge."""
STATES = (State.LISTENING, State.CLEAR, State.SUSPICIOUS, State.ALERT, State.UNKNOWN, State.UNDECIDED)
LISTENING, CLEAR, SUSPICIOUS, ALERT, UNKNOWN, UNDECIDED = range(6)


@dataclass(frozen=True)
class Decision(StreamValues):
    """The decisions on N streams. state: index into STATES. above_suspicious, above_alert, below_close: blocks of net
    speech in a row. votes: blocks of net speech since there was enough. quiet: blocks since the last speech. open: an
    alert is open. opened, updated: sample index. peak: highest llr of the open alert.
    """

    state: Ints
    votes: Ints
    above_suspicious: Ints
    above_alert: Ints
    below_close: Ints
    quiet: Ints
    open: Flags
    opened: Ints
    updated: Ints
    peak: Floats


@dataclass(frozen=True)
class DecisionInput:
    """The facts about one block that decide() takes. llr: recent, nats. speech: the block carries evidence. enough: net
    speech has reached the least for a verdict, from a warm state. end: sample index. usable: the input can be trusted.
    whole: llr of all speech, -inf where there is too little of it to count; None counts nowhere. standing: llr that
    clear rests on, of more speech than llr; None is llr itself. hard: the voice is hard to judge; None is nowhere.
    """

    llr: Floats
    speech: Flags
    enough: Flags
    end: Ints
    usable: Flags
    whole: Floats | None = None
    standing: Floats | None = None
    hard: Flags | None = None


@dataclass(frozen=True)
class Changes:
    """The changes of a block, by stream. by_whole: opened on all speech of the call, not on recent speech."""

    state: Flags
    opened: Flags
    updated: Flags
    closed: Flags
    by_whole: Flags


def init_decision(streams: int) -> Decision:
    """Return the start values of streams that have had no audio."""

    def zeros() -> Ints:
        return np.zeros(streams, dtype=np.int64)

    return Decision(
        state=zeros(),
        votes=zeros(),
        above_suspicious=zeros(),
        above_alert=zeros(),
        below_close=zeros(),
        quiet=zeros(),
        open=np.zeros(streams, dtype=np.bool_),
        opened=zeros(),
        updated=zeros(),
        peak=np.zeros(streams),
    )


def hold_blocks(seconds: float) -> int:
    """Return the blocks of a hold time, at least one."""
    return max(1, round(seconds / BLOCK_S))


def _run(old: Ints, speech: Flags, condition: Flags) -> Ints:
    """Length of the run of speech blocks that meet a condition; other blocks leave it as it is."""
    return np.where(speech, np.where(condition, old + 1, 0), old)


def decide(config: AlertSection, old: Decision, outputs: DecisionInput) -> tuple[Decision, Changes]:
    """Judge one block."""
    votes = outputs.speech & outputs.enough
    above_suspicious = _run(old.above_suspicious, votes, outputs.llr >= config.suspicious_llr)
    above_alert = _run(old.above_alert, votes, outputs.llr >= config.alert_llr)
    hard = np.zeros_like(votes) if outputs.hard is None else outputs.hard
    whole = np.full(len(votes), -np.inf) if outputs.whole is None else outputs.whole
    steady = whole >= config.whole_llr + HARD_MARGIN * hard
    below_close = _run(old.below_close, votes, (outputs.llr < config.close_llr) & ~steady)
    quiet = np.where(outputs.speech, 0, old.quiet + 1)
    held = above_alert >= hold_blocks(config.alert_hold_s)
    opened = ~old.open & votes & (held | steady)
    closed = old.open & votes & (below_close >= hold_blocks(config.close_hold_s))
    is_open = (old.open | opened) & ~closed
    due = outputs.end - old.updated >= round(config.update_every_s * SAMPLE_RATE)
    updated = old.open & is_open & outputs.speech & due

    count = old.votes + votes
    lost = ~outputs.usable | (quiet >= hold_blocks(config.unknown_after_s))
    state = np.where(votes, _verdict(config, old, above_suspicious, count, outputs), old.state)
    resumed = (old.state == UNKNOWN) & outputs.speech & ~votes
    state = np.where(resumed, LISTENING, state)
    state = np.where(hard & (state != UNKNOWN), UNDECIDED, state)
    state = np.where(is_open & (state != UNKNOWN), ALERT, state)
    state = np.where(lost, UNKNOWN, state)
    state = np.where((old.state == UNKNOWN) & ~lost & is_open, ALERT, state)

    new = Decision(
        state=state,
        votes=count,
        above_suspicious=above_suspicious,
        above_alert=above_alert,
        below_close=below_close,
        quiet=quiet,
        open=is_open,
        opened=np.where(opened, outputs.end, old.opened),
        updated=np.where(opened | updated, outputs.end, old.updated),
        peak=np.where(opened, outputs.llr, np.where(is_open, np.maximum(old.peak, outputs.llr), old.peak)),
    )
    return new, Changes(state != old.state, opened, updated, closed, opened & ~held)


def _verdict(config: AlertSection, old: Decision, above_suspicious: Ints, votes: Ints, outputs: DecisionInput) -> Ints:
    """Clear, suspicious or undecided; suspicious and clear are left below half of their thresholds, so that they do
    not flap.

    What is neither from the first verdict on is listened to for undecided_after_s.
    """
    llr = outputs.llr
    standing = llr if outputs.standing is None else outputs.standing
    suspicious = above_suspicious >= hold_blocks(config.suspicious_hold_s)
    suspicious |= (old.state == SUSPICIOUS) & (llr > (config.suspicious_llr + config.close_llr) / 2)
    becomes_clear = (standing <= config.clear_llr) & (llr < config.suspicious_llr)
    clear = becomes_clear | ((old.state == CLEAR) & (standing <= config.clear_llr / 2))
    waits = ((old.state == LISTENING) | (old.state == UNKNOWN)) & (votes < hold_blocks(config.undecided_after_s))
    return np.where(suspicious, SUSPICIOUS, np.where(clear, CLEAR, np.where(waits, LISTENING, UNDECIDED)))
