"""RTP sessions, and what they said."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from captured import packed
from numpy.typing import NDArray
from rtp_senders import sent

from monitor.audio import Audio
from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import STATIC, USUAL
from monitor.rtp.sound import DecodedAudio
from monitor.taps.rtp.pairing import CallPorts
from monitor.taps.rtp.sessions import RtpSessions
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted, TapEvent

ONE = CallPorts((5004,), ("party",), ({**STATIC, **USUAL},))
PHONE, OTHER = ("192.0.2.1", 40_000), ("192.0.2.2", 50_000)
IDLE_S = 5.0


class Sessions:
    """A rtp, what it was asked to take, and what it said."""

    def __init__(self, takes: bool = True, line: CallPorts = ONE) -> None:
        self.started: list[CallStarted] = []
        self.result: list[TapEvent] = []
        self.takes, self.line = takes, line
        self.sessions = RtpSessions(self._accept, IDLE_S)

    def _accept(self, started: CallStarted) -> bool:
        self.started.append(started)
        return self.takes

    def hear(
        self, some: Iterable[RtpPacket], source: tuple[str, int] = PHONE, party: int = 0, at: float = 0.0, ssrc: int = 1
    ) -> float:
        """Packets every 20 ms from that time on; returns the time after the last."""
        for packet in some:
            data = packed(packet._replace(ssrc=ssrc))
            self.result += self.sessions.datagram(self.line, party, data, source, at)
            self.result += self.sessions.tick(at)
            at += 0.02
        return at

    def wait(self, until: float) -> None:
        self.result += self.sessions.tick(until)

    def audio(self, channel: int = 0) -> Audio:
        """What was heard of a channel, holes and pauses as silence, from the start of its call."""
        pieces = [a for a in self.result if isinstance(a, CallAudio) and a.channel == channel]
        out = np.zeros(max((a.start + len(a.samples) for a in pieces), default=0), np.float32)
        for a in pieces:
            assert not out[a.start : a.start + len(a.samples)].any(), "no sample twice"
            out[a.start : a.start + len(a.samples)] = a.samples
        return out

    def lost(self) -> NDArray[np.bool_]:
        """Of each sample that was heard, whether it was lost."""
        return np.concatenate(
            [DecodedAudio(a.samples, a.concealed).lost for a in self.result if isinstance(a, CallAudio)]
        )

    @property
    def ended(self) -> list[str]:
        return [h.reason for h in self.result if isinstance(h, CallEnded)]


def spoken(kind: int = 0, encoder: str = "pcm_mulaw", seconds: float = 2.0) -> tuple[Audio, list[RtpPacket]]:
    return sent(kind, encoder, seconds)
