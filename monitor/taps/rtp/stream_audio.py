"""One stream of an RTP call, which may give no more audio than there is time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.rtp.sound import DecodedAudio
from monitor.taps.party import PartyAudio
from monitor.taps.rtp.flood_guard import Key
from monitor.taps.tap_events import CallAudio
from monitor.types import SAMPLE_RATE

CREDIT_S, CREDIT_RATE, PACKET_COST_S = 2.0, 1.5, 0.002
"""A stream may give so much audio at once, and so many times as much as time passes; a packet counts as more."""
FLOOD_S = 5.0
"""A stream of which in so long more packets were refused than taken floods: its call ends."""


@dataclass
class StreamAudio(PartyAudio):
    """One stream of a call. newest: when its newest packet came. credit_s: of audio that it may still give at once, as
    of credited. taken, refused: packets since judged, when it was last asked whether it floods.
    """

    key: Key = (("", 0), 0)
    newest: float = 0.0
    packets: int = 0
    credit_s: float = CREDIT_S
    credited: float = 0.0
    taken: int = 0
    refused: int = 0
    judged: float = 0.0

    def take_credit(self, now: float) -> bool:
        """Return whether it may give one more packet, which it then pays for: for its audio when that is heard."""
        self.credit_s = min(CREDIT_S, self.credit_s + CREDIT_RATE * (now - self.credited))
        self.credited = now
        if self.credit_s < self.stream.held_s:
            self.refused += 1
            return False
        self.taken += 1
        self.credit_s -= PACKET_COST_S
        return True

    def floods(self, now: float) -> bool:
        """Return whether since FLOOD_S ago more of its packets were refused than taken."""
        if now - self.judged < FLOOD_S:
            return False
        flooded, self.judged, self.taken, self.refused = self.refused > self.taken, now, 0, 0
        return flooded

    def audio_events(self, call: str, sound: DecodedAudio) -> Iterator[CallAudio]:
        """Return the new audio of the stream and charge it to the stream's allowance."""
        self.credit_s -= len(sound) / SAMPLE_RATE
        return super().audio_events(call, sound)
