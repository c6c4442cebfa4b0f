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
        self.ready: list[Ordered] = []
        """Packets in their turn that give() has not given yet."""

    def push(self, packet: RtpPacket, arrival: float) -> Audio:
        """Take a packet that arrived at that time, seconds, and give what is in its turn."""
        self.hold(packet, arrival)
        return self.give()

    def hold(self, packet: RtpPacket, arrival: float) -> None:
        """Take a packet, and decode it when give() is said: several at once cost less."""
        self._order(accept(self.jitter, packet, arrival, self._give_up_s))

    def advance(self, now: float) -> Audio:
        """Give up what has been missing for too long."""
        self._order(expire(self.jitter, now, self._give_up_s))
        return self.give()

    def finish(self) -> Audio:
        """The stream has ended: everything that is held."""
        self._order(flush(self.jitter))
        return np.concatenate([self.give(), self._resampled([], last=True)])

    def give(self) -> Audio:
        """Everything that is in its turn."""
        ready, self.ready = self.ready, []
        pieces: list[Audio] = []
        raw: list[Audio] = []
        for ordered in ready:
            form = self._formats.get(ordered.packet.payload_type)
            self._missing += ordered.lost
            if form is None:
                self.bad += 1
            elif form.encoding not in SILENT:
                if form != self.format:
                    pieces += [self._resampled(raw), self._change(form)]
                    raw = []
                raw += self._placed(ordered, form)
        pieces += [self._resampled(raw)] if raw else []
        return pieces[0] if len(pieces) == 1 else np.concatenate([np.zeros(0, np.float32), *pieces])

    def _order(self, result: Result) -> None:
        self.jitter, ready = result
        self.ready += ready

    def _placed(self, ordered: Ordered, form: Format) -> list[Audio]:
        """What stands between the packet before and this one, and this one, at the rate of the format."""
        assert self._decoder is not None
        between = self._between(ordered, form)
        try:
            samples = self._decoder.decode(ordered.packet.payload)
        except PayloadError:
            self.bad += 1
            samples = np.full(self._length, np.nan, np.float32)
        self._last, self._length, self._missing = ordered, len(samples), 0
        return [between, samples] if len(between) else [samples]

    def _change(self, form: Format) -> Audio:
        """Go on in another format. Returns what the resampler of the one before still held."""
        held = np.zeros(0, np.float32)
        if self.format is not None:
            held = self._resampled([], last=True)
            self._length = self._length * form.sample_rate // self.format.sample_rate
        self.format, self._decoder = form, open_decoder(form)
        self._resampler = StreamResampler(form.sample_rate, 1)
        return held

    def _between(self, ordered: Ordered, form: Format) -> Audio:
        """Silence (n,) of a pause and NaN of lost packets, at the rate of the format."""
        if self._last is None:
            return np.zeros(0, np.float32)
        passed = (ordered.packet.timestamp - self._last.packet.timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        passed_s, elapsed_s = passed / form.clock_rate, max(0.0, ordered.arrival - self._last.arrival)
        believed = not ordered.restarted and 0 <= passed_s <= elapsed_s + BELIEVED_S
        passed_s = passed_s if believed else elapsed_s
        whole = round(passed_s * form.sample_rate) - self._length
        if whole <= 0:
            return np.zeros(0, np.float32)
        longest_s = LONGEST_PAUSE_S if self._missing else self._longest_pause_s
        between = np.zeros(min(whole, round(longest_s * form.sample_rate)), np.float32)
        self.skipped += (whole - len(between)) * SAMPLE_RATE // form.sample_rate
        between[: self._missing * self._length if believed else None] = np.nan
        return between

    def _resampled(self, pieces: list[Audio], last: bool = False) -> Audio:
        joined = pieces[0] if len(pieces) == 1 else np.concatenate([np.zeros(0, np.float32), *pieces])
        out: Audio = self._resampler.push(joined[None], last)[0]
        return out
