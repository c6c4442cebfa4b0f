"""How long a server rests between its turns, so that several blocks wait then, which cost less together."""

from __future__ import annotations

from monitor.engine.overload import MANY
from monitor.engine.ring_bank import RingBank

TURN_S, LONGEST_TURN_S, TURN_SHARE = 0.02, 0.08, 0.5
"""A server scores its streams together, so often, in large steps: not one by one as their packets come. Where a turn
takes long it rests as long again, if that leaves it often enough: more blocks wait then, and are scored together.
"""


class TurnPause:
    """The pauses of one server. Belongs to its scoring thread."""

    def __init__(self, bank: RingBank) -> None:
        self._bank = bank
        self._between = False
        """The next turn is for the few streams that wait."""

    def after(self, took: float) -> float:
        """Return the pause until the next turn, given how long the last one scored, s. Without any when most streams
        wait. A few that wait, such as those of peers that send too fast, get every second turn one of their own: turn
        after turn for them would take the time of all.
        """
        behind = self._bank.behind
        self._between = 0.0 < behind < MANY and not self._between
        turn = max(TURN_S, min(LONGEST_TURN_S, took / TURN_SHARE))
        return 0.0 if behind >= MANY else turn / 2 if self._between else turn
