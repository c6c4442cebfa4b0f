"""One stream of an RTP call, which may give no more audio than there is time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.captures.moved_streams import OFF_S, most_missing
from monitor.rtp.packet import RtpPacket
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
    """One stream of a call. newest: when its newest packet came. last: that packet. credit_s: of audio that it may
    still give at once, as of credited. taken, refused: packets since judged, when it was last asked whether it floods.
    """

    key: Key = (("", 0), 0)
    newest: float = 0.0
    last: RtpPacket | None = None
    packets: int = 0
    credit_s: float = CREDIT_S
    credited: float = 0.0
    taken: int = 0
    refused: int = 0
    judged: float = 0.0

    def goes_on(self, key: Key, packet: RtpPacket, arrival: float) -> bool:
        """Return whether a stream from another port of this host goes on with the numbers of this one, which is silent:
        NAT binds anew. From another host it may be anybody.
        """
        form = self.stream.format
        if self.last is None or form is None or not self.may_move_to(key):
            return False
        gap = arrival - self.newest
        numbers = packet.sequence - self.last.sequence & 0xFFFF
        ticks = (packet.timestamp - self.last.timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        return gap > 0 and 0 < numbers <= most_missing(gap) and abs(ticks / form.clock_rate - gap) <= OFF_S

    def may_move_to(self, key: Key) -> bool:
        """Return whether a stream has this one's SSRC and host, and another port."""
        (host, port), ssrc = self.key
        return key[1] == ssrc and key[0][0] == host and key[0][1] != port

    def take_credit(self, now: float) -> bool:
        """Return whether it may give one more packet, which it then pays for: for its audio when that is heard."""
        self.credit_s = min(CREDIT_S, self.credit_s + CREDIT_RATE * (now - self.credited))
        self.credited = now
        if self.credit_s < self.stream.order.held_s:
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
