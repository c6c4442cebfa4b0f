"""The rate of audio that does not say it, by its pace. Pure.

Asterisk before 20.17, 21.12, 22.7 and 23.1 sends the audio of every codec as type 0x10, which means 8 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST_S, SURE_S, MOST_S = 0.5, 1.0, 2.0
"""How long audio is measured: where it has the pace of 8 kHz, where it has another one, and at most."""
MOST_BYTES, MOST_FRAMES = 1 << 18, 2000
"""No peer has more of it held."""
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
        """Times of arrival, and payloads."""
        self._bytes = 0
        self._bytes_a_sample = True
        self._settled: tuple[float, float, int] | None = None
        """When the first and the last frame came that count, and the bytes after the first."""

    def add(self, payload: bytes, now: float) -> None:
        """Take a frame of audio."""
        self.frames.append((now, payload))
        self._bytes += len(payload)
        self._bytes_a_sample &= len(payload) == self._rates[0] * ASTERISK_S
        if self._settled is not None:
            begun, _, size = self._settled
            self._settled = begun, now, size + len(payload)
        elif now >= self.frames[0][0] + SETTLED_S:
            self._settled = now, now, 0

    def rate(self, now: float) -> int | None:
        """Return Hz, or G711; None while it is not sure."""
        if not self.frames:
            return None
        if len(self.frames) > MOST_FRAMES or self._bytes > MOST_BYTES:
            return self.guess()
        took_s = now - self.frames[0][0]
        if took_s < LEAST_S:
            return None
        found = self.guess()
        near = self._near(found)
        wait_s = LEAST_S if near and found == self._rates[0] else SURE_S if near else MOST_S
        return found if took_s >= wait_s else None

    def guess(self) -> int:
        """Return Hz, or G711, by what has come so far: a rate whose frames of 20 ms these are, else the nearest."""
        if self._bytes_a_sample and self._near(G711):
            return G711
        likely = [rate for rate in self._rates if self._near(rate)]
        size = len(self.frames[0][1]) if self.frames else 0
        exact = [rate for rate in likely if size == round(rate * ASTERISK_S) * 2]
        return min(exact or likely or [self._rates[0]], key=lambda rate: abs(rate - self._pace()))

    def _near(self, rate: int) -> bool:
        expected = rate or self._rates[0] / 2
        return abs(self._pace() / expected - 1.0) < TOLERANCE

    def _pace(self) -> float:
        """Return samples of 16 bits a second; 0.0 while that cannot be told."""
        begun, last, size = self._settled or (0.0, 0.0, 0)
        return size / 2 / (last - begun) if last > begun else 0.0
