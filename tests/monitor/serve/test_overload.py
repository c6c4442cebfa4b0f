"""A server that scores too slowly takes no further call, and rests as long as it took."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers import voice
from routed_server import Server

from monitor.engine.overload import CALM_S, FOR_S, OverloadCheck
from monitor.engine.turn_pause import LONGEST_TURN_S, TURN_S
from monitor.taps.tap_events import RefusedError


@pytest.fixture
def stopped() -> Iterator[Server]:
    """Its scoring has not begun yet."""
    server = Server()
    try:
        yield server
    finally:
        server.close()


def test_while_scoring_is_behind_no_call_is_taken_and_those_that_there_are_go_on(stopped: Server) -> None:
    stopped.engine.overload = OverloadCheck(stopped.engine.bank, calm_s=0.0)
    stopped.call("first")
    stopped.say("first", voice(2.0))
    stopped.engine.overload.check(10.0)
    stopped.call("burst")  # a moment is not enough
    stopped.say("burst", voice(2.0))
    stopped.engine.overload.check(10.0 + FOR_S)
    with pytest.raises(RefusedError, match="scoring is behind"):
        stopped.call("more")
    assert stopped.engine.heartbeat_figures()["calls_refused"] == 1
    assert stopped.engine.faults() == ["new calls are refused: scoring is behind with the calls that there are"]
    stopped.thread.start()
    for name in ("first", "burst"):
        stopped.over(name)
        assert stopped.wait_for("call.ended", name).data["lost_s"] == 0
    stopped.call("more")
    assert stopped.engine.faults() == []


def test_calls_are_taken_again_once_scoring_has_kept_up_for_a_while(stopped: Server) -> None:
    stopped.call("first")
    stopped.say("first", voice(2.0))
    for now in (10.0, 10.0 + FOR_S):
        stopped.engine.overload.check(now)
    stopped.engine.turn()
    while stopped.engine.bank.behind:
        stopped.engine.turn()
    stopped.engine.overload.check(12.0)
    with pytest.raises(RefusedError, match="scoring is behind"):
        stopped.call("more")
    stopped.engine.overload.check(10.0 + FOR_S + CALM_S)
    stopped.call("more")


def test_a_few_streams_that_wait_do_not_get_every_turn(stopped: Server) -> None:
    for name in ("flood", "one", "two"):
        stopped.call(name)
    stopped.say("flood", voice(2.0))
    pauses = [stopped.engine.pause_s(0.0) for _ in range(4)]
    assert pauses == [TURN_S / 2, TURN_S, TURN_S / 2, TURN_S]
    stopped.say("one", voice(2.0))
    assert stopped.engine.pause_s(0.0) == 0.0, "most wait: the server is behind"


def test_a_server_in_time_rests_as_long_as_it_took_and_not_for_long(stopped: Server) -> None:
    assert [stopped.engine.pause_s(took) for took in (0.005, 0.02, 10.0)] == [TURN_S, 0.04, LONGEST_TURN_S]
