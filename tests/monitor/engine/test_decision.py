"""decide(): thresholds with hold times, one alert at a time, opened, updated, closed."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.config import BLOCK, BLOCK_S
from monitor.config.schema import AlertSection
from monitor.engine.decision import (
    HARD_MARGIN,
    STATES,
    Changes,
    Decision,
    DecisionInput,
    decide,
    hold_blocks,
    init_decision,
)

CONFIG = AlertSection()


@dataclass
class Channel:
    """One stream, fed second by second. heard, total: of the mean that clear rests on."""

    decision: Decision = field(default_factory=lambda: init_decision(1))
    log: list[tuple[str, float]] = field(default_factory=list)
    end: int = 0
    heard: float = 0.0
    total: float = 0.0

    @property
    def state(self) -> str:
        return STATES[int(self.decision.state[0])].value

    def hear(
        self,
        seconds: float,
        llr: float,
        speech: bool = True,
        enough: bool = True,
        usable: bool = True,
        hard: bool = False,
        whole: float = -np.inf,
    ) -> None:
        for _ in range(round(seconds / BLOCK_S)):
            self.end += BLOCK
            if speech:
                fade = exp(-BLOCK_S / CONFIG.clear_memory_s)
                self.heard, self.total = self.heard * fade + 1.0, self.total * fade + llr
            heard = DecisionInput(
                np.array([llr]),
                np.array([speech]),
                np.array([enough]),
                np.array([self.end]),
                np.array([usable]),
                standing=np.array([self.total / max(self.heard, 1.0)]),
                hard=np.array([hard]),
                whole=np.array([whole]),
            )
            self.decision, changes = decide(CONFIG, self.decision, heard)
            self._note(changes)

    def _note(self, changes: Changes) -> None:
        at = self.end / 16000
        for what in ("opened", "updated", "closed"):
            if getattr(changes, what)[0]:
                self.log.append((what, at))
        if changes.state[0]:
            self.log.append((self.state, at))

    def words(self) -> list[str]:
        return [word for word, _ in self.log]


def test_a_genuine_call_becomes_clear_and_stays_so() -> None:
    channel = Channel()
    channel.hear(1.9, -3.0, enough=False)
    assert channel.state == "listening"
    channel.hear(60.0, -3.0)
    assert channel.words() == ["clear"]


def test_weak_evidence_either_way_is_undecided_and_not_clear() -> None:
    channel = Channel()
    channel.hear(60.0, CONFIG.clear_llr + 0.1)
    assert channel.words() == ["undecided"]
    assert channel.log[0][1] == pytest.approx(CONFIG.undecided_after_s, abs=0.03)


def test_clear_is_left_once_the_evidence_for_a_person_is_gone() -> None:
    channel = Channel()
    channel.hear(10.0, -2.0)
    channel.hear(60.0, 0.0)
    assert channel.words() == ["clear", "undecided"]
    channel.hear(60.0, -2.0)
    assert channel.state == "clear"


def test_what_is_hard_to_judge_is_never_clear_but_can_raise_an_alert() -> None:
    channel = Channel()
    channel.hear(5.0, -3.0)
    channel.hear(5.0, -3.0, hard=True)
    assert channel.words() == ["clear", "undecided"]
    channel.hear(2.0, 5.0, hard=True)
    assert channel.state == "alert"
    fresh = Channel()
    fresh.hear(1.0, 0.0, speech=False, enough=False, hard=True)
    assert fresh.words() == ["undecided"], "even where nothing is speech"


def test_what_is_hard_to_judge_is_not_suspicious() -> None:
    channel = Channel()
    channel.hear(5.0, CONFIG.suspicious_llr + 0.1, hard=True)
    assert channel.words() == ["undecided"]
    channel.hear(0.1, CONFIG.suspicious_llr + 0.1)
    assert channel.state == "suspicious"


def test_a_steady_excess_must_be_larger_where_the_voice_is_hard_to_judge() -> None:
    enough = CONFIG.whole_llr + HARD_MARGIN
    channel = Channel()
    channel.hear(5.0, 0.5, whole=enough - 0.01, hard=True)
    assert channel.words() == ["undecided"]
    channel.hear(1.0, 0.5, whole=enough, hard=True)
    assert channel.state == "alert"


def test_no_verdict_before_enough_speech() -> None:
    channel = Channel()
    channel.hear(10.0, 8.0, enough=False)
    assert channel.state == "listening"
    assert channel.log == []


def test_the_life_of_an_alert() -> None:
    channel = Channel()
    channel.hear(5.0, -2.0)
    channel.hear(15.5, 4.0)
    channel.hear(6.0, -2.0)
    assert channel.words() == [
        "clear",
        "suspicious",
        "opened",
        "alert",
        "updated",
        "updated",
        "updated",
        "closed",
        "undecided",
    ]
    times = dict(channel.log)
    assert abs(times["suspicious"] - 5.0 - CONFIG.suspicious_hold_s) < 0.03
    assert abs(times["opened"] - 5.0 - CONFIG.alert_hold_s) < 0.03
    assert abs(times["closed"] - 20.5 - CONFIG.close_hold_s) < 0.03


def test_one_odd_moment_raises_nothing() -> None:
    channel = Channel()
    for _ in range(10):
        channel.hear(2.0, -2.0)
        channel.hear(0.3, 6.0)
    assert channel.words() == ["clear"]


def test_silence_neither_opens_nor_closes() -> None:
    channel = Channel()
    channel.hear(5.0, -2.0)
    channel.hear(10.0, 8.0, speech=False)
    assert channel.words() == ["clear"]
    channel.hear(3.0, 8.0)
    channel.hear(14.0, -8.0, speech=False)
    assert channel.state == "alert"


def test_long_silence_is_unknown_and_speech_ends_it() -> None:
    channel = Channel()
    channel.hear(5.0, -2.0)
    channel.hear(CONFIG.unknown_after_s + 0.1, 0.0, speech=False)
    assert channel.state == "unknown"
    channel.hear(0.1, -2.0)
    assert channel.state == "clear"


def test_an_open_alert_survives_hold_music() -> None:
    channel = Channel()
    channel.hear(5.0, 5.0)
    channel.hear(60.0, 5.0, speech=False)
    assert channel.state == "unknown"
    channel.hear(0.1, 5.0)
    assert channel.state == "alert"
    assert channel.words().count("opened") == 1


def test_an_input_that_cannot_be_trusted_is_unknown_at_once() -> None:
    channel = Channel()
    channel.hear(5.0, -2.0)
    channel.hear(BLOCK_S, -2.0, usable=False)
    assert channel.state == "unknown"


def test_a_second_alert_can_open_after_the_first_was_closed() -> None:
    channel = Channel()
    for _ in range(2):
        channel.hear(8.0, 5.0)
        channel.hear(8.0, -5.0)
    assert channel.words().count("opened") == channel.words().count("closed") == 2


def test_suspicious_does_not_flap_around_its_threshold() -> None:
    channel = Channel()
    channel.hear(5.0, -2.0)
    for i in range(200):
        channel.hear(0.1, CONFIG.suspicious_llr + (0.2 if i % 8 else -0.2))
    assert channel.words() == ["clear", "suspicious"]


steps = st.tuples(st.floats(0.02, 3.0), st.floats(-8, 8), st.booleans(), st.booleans())


@given(st.lists(steps, max_size=25))
def test_alerts_are_opened_updated_and_closed_in_order(script: list[tuple[float, float, bool, bool]]) -> None:
    channel = Channel()
    for seconds, llr, speech, usable in script:
        channel.hear(seconds, llr, speech=speech, usable=usable)
    is_open = False
    for word in channel.words():
        if word == "opened":
            assert not is_open
            is_open = True
        elif word == "updated":
            assert is_open
        elif word == "closed":
            assert is_open
            is_open = False
    assert is_open == bool(channel.decision.open[0])
    if is_open:
        assert channel.state in ("alert", "unknown")


def test_stacked_streams_decide_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    llr, speech = rng.normal(0, 4, (400, 3)).cumsum(0) * 0.2, rng.random((400, 3)) < 0.8
    together = init_decision(3)
    alone = [init_decision(1) for _ in range(3)]
    for t in range(400):
        end = np.full(3, (t + 1) * BLOCK)
        yes = np.ones(3, bool)
        together, _ = decide(CONFIG, together, DecisionInput(llr[t], speech[t], yes, end, yes))
        for i in range(3):
            one = slice(i, i + 1)
            alone[i], _ = decide(
                CONFIG, alone[i], DecisionInput(llr[t, one], speech[t, one], yes[one], end[one], yes[one])
            )
    for name in Decision.__dataclass_fields__:
        expected = np.concatenate([getattr(a, name) for a in alone])
        assert np.array_equal(getattr(together, name), expected), name


def test_a_steady_excess_over_the_whole_call_alerts_and_keeps_the_alert_open() -> None:
    yes, decision, opened, closed = np.ones(1, bool), init_decision(1), [], []
    for b in range(1500):
        whole = -np.inf if b < 300 else CONFIG.whole_llr if b < 900 else CONFIG.whole_llr - 0.1
        llr = np.array([CONFIG.close_llr - 1.0 if b > 400 else 0.9 * CONFIG.alert_llr])
        heard = DecisionInput(llr, yes, yes, np.array([(b + 1) * BLOCK]), yes, np.array([whole]))
        decision, changes = decide(CONFIG, decision, heard)
        opened += [b] if changes.opened[0] else []
        closed += [b] if changes.closed[0] else []
        assert changes.by_whole[0] == changes.opened[0]
    assert opened == [300], "with the first block that counts, and once"
    assert closed == [900 + round(CONFIG.close_hold_s / BLOCK_S) - 1], (
        "when the excess and the recent evidence are gone"
    )


def test_an_alert_on_recent_speech_is_not_laid_to_the_whole_call() -> None:
    yes, decision, opened = np.ones(1, bool), init_decision(1), 0
    for b in range(hold_blocks(CONFIG.alert_hold_s) + 5):
        heard = DecisionInput(np.array([CONFIG.alert_llr]), yes, yes, np.array([(b + 1) * BLOCK]), yes)
        decision, changes = decide(CONFIG, decision, heard)
        opened += int(changes.opened[0])
        assert not changes.by_whole[0]
    assert opened == 1
