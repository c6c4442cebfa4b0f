"""The rate of audio that does not say it, by its pace. Pure.

Asterisk before 20.17, 21.12, 22.7 and 23.1 sends the audio of every codec as type 0x10, which means 8 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST_S, SURE_S, MOST_S = 0.5, 1.0, 2.0
"""How long audio is measured: where it has the pace of 8 kHz, where it has another one, and at most."""
MOST_BYTES = 1 << 18
SETTLED_S = 0.1
"""What comes so soon after the first frame says nothing: it may have waited."""
TOLERANCE = 0.25
ASTERISK_S = 0.02
"""The frames of Asterisk."""
G711 = 0
"""Stands for the rate of audio that comes at half the pace of 8 kHz: one byte a sample."""


class PaceMeter:
    """Holds the first frames until their rate is known."""

    def __init__(self, rates: Sequence[int]) -> None:
        """rates: Hz, that there may be; the first is what is taken where the pace is none of them."""
        self._rates = rates
        self.frames: list[tuple[float, bytes]] = []
        """When they came, and their payloads."""
        self._bytes = 0

    def add(self, payload: bytes, now: float) -> None:
        """Take a frame of audio."""
        self.frames.append((now, payload))
        self._bytes += len(payload)

    def rate(self, now: float) -> int | None:
        """Hz, or G711; None while it is not sure."""
        if not self.frames:
            return None
        took_s = now - self.frames[0][0]
        found = self.guess()
        plain = found == self._rates[0] and self._near(self._pace(), found)
        wait_s = LEAST_S if plain else SURE_S if self._near(self._pace(), found) else MOST_S
        return found if took_s >= wait_s or self._bytes > MOST_BYTES else None

    def guess(self) -> int:
        """Hz, or G711, by what has come so far: a rate whose frames of 20 ms these are, else the nearest."""
        pace = self._pace()
        if all(len(payload) == self._rates[0] * ASTERISK_S for _, payload in self.frames) and self._near(pace, G711):
            return G711
        likely = [rate for rate in self._rates if self._near(pace, rate)]
        size = len(self.frames[0][1]) if self.frames else 0
        exact = [rate for rate in likely if size == round(rate * ASTERISK_S) * 2]
        return min(exact or likely or [self._rates[0]], key=lambda rate: abs(rate - pace))

    def _near(self, pace: float, rate: int) -> bool:
        expected = rate or self._rates[0] / 2
        return abs(pace / expected - 1.0) < TOLERANCE

    def _pace(self) -> float:
        """Return the samples of 16 bits a second; 0.0 while that cannot be told."""
        settled = [at for at in self.frames if at[0] >= self.frames[0][0] + SETTLED_S]
        if len(settled) < 2 or settled[-1][0] <= settled[0][0]:
            return 0.0
        took_s = settled[-1][0] - settled[0][0]
        return sum(len(payload) for _, payload in settled[1:]) / 2 / took_s
