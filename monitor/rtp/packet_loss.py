"""Counts the packets that one RTP stream lost, and says what is to stand between two packets that follow each other.

Lost audio is NaN, a pause of the sender silence, as long as the timestamps say.
"""

from __future__ import annotations

import numpy as np

from monitor.audio import Audio
from monitor.rtp.jitter_buffer import OrderedPacket
from monitor.rtp.payload import PayloadFormat
from monitor.types import SAMPLE_RATE

PLAUSIBLE_S = 1.0
"""A timestamp may run ahead of the time of arrival by so much between two packets."""
LONGEST_PAUSE_S = 30.0
UNKNOWN_S = 0.02
"""How long the audio of a packet is taken to be of which that is not known."""
DOUBLED = 5
"""Packets one after the other whose timestamps say twice their length, while they come at the pace of their length: the
sender's clock is twice as fast as it should be, such as of 16 kHz for G.722 (RFC 3551, section 4.5.2).
"""


class PacketLoss:
    """last, length: the last packet that had audio, and its samples at the rate of its format. skipped: samples of
    pauses at 16 kHz that were left out.
    """

    def __init__(self, longest_pause_s: float) -> None:
        """longest_pause_s: what is longer of a pause is left out."""
        self.last: OrderedPacket | None = None
        self.length = 0
        self.skipped = 0
        self._longest_pause_s = longest_pause_s
        self._doubled = 0
        """See DOUBLED."""
        self._missing = 0
        """Packets lost since the last one that had audio."""
        self._undecoded: tuple[OrderedPacket, OrderedPacket] | None = None
        """The first and the newest packet that nothing was made of since the last one that had audio."""

    @property
    def any(self) -> bool:
        """Return whether audio is missing since the last packet that had some."""
        return bool(self._missing) or self._undecoded is not None

    def count(self, ordered: OrderedPacket, decodable: bool) -> None:
        """Count the packets that are missing before this one, and this one where nothing can be made of it."""
        self._missing += ordered.lost
        if not decodable:
            self._undecoded = (self._undecoded or (ordered, ordered))[0], ordered

    def between(self, ordered: OrderedPacket, form: PayloadFormat) -> tuple[Audio, int]:
        """Return what stands before a packet, (n,) at the rate of its format: NaN of what was lost, then silence; and
        how many samples were lost.
        """
        if self.last is None:
            if self._undecoded is None:
                return np.zeros(0, np.float32), 0
            seconds = min(LONGEST_PAUSE_S, max(0.0, ordered.arrival - self._undecoded[0].arrival))
            return np.full(round(seconds * form.sample_rate), np.nan, np.float32), 0
        passed = (ordered.packet.timestamp - self.last.packet.timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        elapsed_s = max(0.0, ordered.arrival - self.last.arrival)
        passed_s = passed / self._clock(passed, elapsed_s, form)
        plausible = not ordered.restarted and 0 <= passed_s <= elapsed_s + PLAUSIBLE_S
        passed_s = passed_s if plausible else elapsed_s
        whole = round(passed_s * form.sample_rate) - self.length
        if whole <= 0:
            return np.zeros(0, np.float32), 0
        longest_s = LONGEST_PAUSE_S if self.any else self._longest_pause_s
        between = np.zeros(min(whole, round(longest_s * form.sample_rate)), np.float32)
        self.skipped += (whole - len(between)) * SAMPLE_RATE // form.sample_rate
        # Where the numbers go on, a timestamp that makes no sense hides no loss.
        whole_lost = self._undecoded is not None or (not plausible and (self._missing > 0 or ordered.restarted))
        lost = len(between) if whole_lost else min(len(between), self._missing * self.length)
        between[:lost] = np.nan
        return between, lost

    def go_on(self, ordered: OrderedPacket, length: int) -> None:
        """Note a packet that has so many samples of audio: nothing is missing since."""
        self.last, self.length, self._missing, self._undecoded = ordered, length, 0, None

    def at_end(self, rate: int) -> Audio:
        """Return NaN at 16 kHz in place of packets at the end that nothing was made of. rate: of the last format."""
        if self._undecoded is None:
            return np.zeros(0, np.float32)
        first, newest = self._undecoded
        begin = first.arrival if self.last is None else self.last.arrival + self.length / rate
        seconds = min(LONGEST_PAUSE_S, max(0.0, newest.arrival - begin) + UNKNOWN_S)
        return np.full(round(seconds * SAMPLE_RATE), np.nan, np.float32)

    def _clock(self, passed: int, elapsed_s: float, form: PayloadFormat) -> int:
        """Return the rate of the timestamps, Hz."""
        length_s = self.length / form.sample_rate
        if not self._missing and passed and passed <= 2 * length_s * form.clock_rate:
            is_doubled = passed == round(2 * length_s * form.clock_rate) and elapsed_s < 1.5 * length_s
            self._doubled = self._doubled + 1 if is_doubled else 0
        return 2 * form.clock_rate if self._doubled >= DOUBLED else form.clock_rate
