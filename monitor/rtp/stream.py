"""One RTP stream, from its packets to audio at 16 kHz: put in order, decode, place, resample.

Where a packet was lost the audio is NaN. Where the sender paused (comfort noise, discontinuous transmission, telephone
events) it is silence. Pauses are as long as the sender's timestamps say; one that ran ahead of the time of arrival is
not believed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model.resample import StreamResampler
from monitor.rtp.jitter import JitterState, Ordered, Result, accept, expire, flush
from monitor.rtp.packet import RtpPacket
from monitor.rtp.payload import SILENT, Decoder, Format, PayloadError, open_decoder
from monitor.types import SAMPLE_RATE, Audio

GIVE_UP_S = 0.1
"""A packet that is missing for so long is lost: more than networks that carry calls reorder by."""
BELIEVED_S = 1.0
"""A timestamp may run ahead of the time of arrival by so much between two packets."""
LONGEST_PAUSE_S = 30.0


class RtpStream:
    """Packets of one SSRC in; float32 (n,) out, each piece right after the one before it, NaN = lost.

    formats: payload types to formats. longest_pause_s: of a longer pause the rest is left out, so that no packet can
    ask for hours of silence. skipped: samples left out so far. bad: packets whose payload nothing could be made of.
    """

    def __init__(
        self,
        formats: Mapping[int, Format],
        give_up_s: float = GIVE_UP_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self.jitter = JitterState()
        self.bad = 0
        self.skipped = 0
        self._longest_pause_s = longest_pause_s
        self.format: Format | None = None
        self._formats, self._give_up_s = formats, give_up_s
        self._decoder: Decoder | None = None
        self._resampler = StreamResampler(SAMPLE_RATE, 1)
        self._last: Ordered | None = None
        self._length = 0
        """Samples of the last packet, at the rate of its format."""
        self._missing = 0
        """Packets lost since the last one that had audio."""

    def push(self, packet: RtpPacket, arrival: float) -> Audio:
        """Take a packet that arrived at that time, seconds."""
        return self._take(accept(self.jitter, packet, arrival, self._give_up_s))

    def advance(self, now: float) -> Audio:
        """Give up what has been missing for too long."""
        return self._take(expire(self.jitter, now, self._give_up_s))

    def finish(self) -> Audio:
        """The stream has ended: everything that is held."""
        return np.concatenate([self._take(flush(self.jitter)), self._resampled(np.zeros(0, np.float32), last=True)])

    def _take(self, result: Result) -> Audio:
        self.jitter, ready = result
        return np.concatenate([np.zeros(0, np.float32), *(x for ordered in ready for x in self._placed(ordered))])

    def _placed(self, ordered: Ordered) -> list[Audio]:
        """What stands between the packet before and this one, and this one."""
        form = self._formats.get(ordered.packet.payload_type)
        self._missing += ordered.lost
        if form is None:
            self.bad += 1
            return []
        if form.encoding in SILENT:
            return []
        before, decoder = self._ready_for(form)
        between = self._between(ordered, form)
        if len(between):
            before.append(self._resampled(between))
        try:
            samples = decoder.decode(ordered.packet.payload)
        except PayloadError:
            self.bad += 1
            samples = np.full(self._length, np.nan, np.float32)
        self._last, self._length, self._missing = ordered, len(samples), 0
        return [*before, self._resampled(samples)]

    def _ready_for(self, form: Format) -> tuple[list[Audio], Decoder]:
        """The decoder for a format; where it is another than before, also what the resampler still held."""
        if self._decoder is not None and form == self.format:
            return [], self._decoder
        held = []
        if self.format is not None:
            held = [self._resampled(np.zeros(0, np.float32), last=True)]
            self._length = self._length * form.sample_rate // self.format.sample_rate
        self.format, self._decoder = form, open_decoder(form)
        self._resampler = StreamResampler(form.sample_rate, 1)
        return held, self._decoder

    def _between(self, ordered: Ordered, form: Format) -> Audio:
        """Silence (n,) of a pause and NaN of lost packets, at the rate of the format."""
        if self._last is None:
            return np.zeros(0, np.float32)
        passed = (ordered.packet.timestamp - self._last.packet.timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        passed_s, elapsed_s = passed / form.clock_rate, max(0.0, ordered.arrival - self._last.arrival)
        believed = not ordered.restarted and 0 <= passed_s <= elapsed_s + BELIEVED_S
        passed_s = passed_s if believed else elapsed_s
        whole = max(0, round(passed_s * form.sample_rate) - self._length)
        longest_s = LONGEST_PAUSE_S if self._missing else self._longest_pause_s
        between = np.zeros(min(whole, round(longest_s * form.sample_rate)), np.float32)
        self.skipped += (whole - len(between)) * SAMPLE_RATE // form.sample_rate
        between[: self._missing * self._length if believed else None] = np.nan
        return between

    def _resampled(self, samples: Audio, last: bool = False) -> Audio:
        out: Audio = self._resampler.push(samples[None], last)[0]
        return out
