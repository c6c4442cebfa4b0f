"""One party of a call: its stream, and the position of its audio on the clock of the call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.rtp.rtp_stream import RtpStream
from monitor.rtp.sound import DecodedAudio
from monitor.taps.tap_events import CallAudio


@dataclass
class PartyAudio:
    """clock: index of the next sample that it gives, at SAMPLE_RATE since the call began."""

    channel: int
    stream: RtpStream
    clock: int = 0
    skipped: int = 0

    def audio_events(self, call: str, sound: DecodedAudio) -> Iterator[CallAudio]:
        """Return the new audio of the stream, placed after the pause that the stream left out."""
        if not len(sound):
            return
        quiet = self.stream.skipped - self.skipped
        self.skipped += quiet
        self.clock += quiet
        yield CallAudio(call, self.channel, self.clock, sound.samples, bool(quiet), sound.concealed)
        self.clock += len(sound)
