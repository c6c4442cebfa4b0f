"""Whether scoring keeps up: what is reported, when, and with which share."""

from __future__ import annotations

from monitor.engine.pace import CALM_S, REPEAT_S, PaceCheck

RATE = 16_000


def play(pace: PaceCheck, lost_in_second: list[float]) -> list[tuple[int, str]]:
    """Seconds of audio of which these shares are lost: (second, fault) of each report."""
    lost, found = 0.0, []
    for second, share in enumerate(lost_in_second, 1):
        lost += share * RATE
        if pace.check(float(second), second * RATE, round(lost)):
            found.append((second, pace.fault))
    return found


def test_nothing_is_reported_while_nothing_is_lost() -> None:
    assert play(PaceCheck(), [0.0] * 60) == []


def test_a_loss_is_reported_within_a_second_with_its_share_alone() -> None:
    assert play(PaceCheck(), [0.0] * 30 + [0.71]) == [(31, "scoring is too slow: 71 % of the audio lost")]


def test_a_loss_that_lasts_is_reported_again_with_the_share_since() -> None:
    again = 3 + round(REPEAT_S)
    reports = play(PaceCheck(), [0.0, 0.0, 0.1] + [0.5] * 15)
    assert reports == [
        (3, "scoring is too slow: 10 % of the audio lost"),
        (again, "scoring is too slow: 50 % of the audio lost"),
    ]


def test_scoring_that_keeps_up_again_is_reported_once_it_is_calm() -> None:
    pace = PaceCheck()
    reports = play(pace, [0.5] + [0.0] * 60)
    assert reports[1:] == [(1 + round(CALM_S), "")]
    assert pace.lost_share == 0.0


def test_a_little_loss_is_not_shown_as_none() -> None:
    assert play(PaceCheck(), [0.0, 0.001]) == [(2, "scoring is too slow: 1 % of the audio lost")]
