"""One RTP stream, from its packets to audio at 16 kHz: put in order, decode, place, resample.

Where packets were lost, what stands in for them (conceal.py) is marked as such, and beyond a short while the audio is
NaN; so it is where packets came that nothing can be made of. Where the sender paused (comfort noise, discontinuous
transmission, telephone events) it is silence. Pauses are as long as the sender's timestamps say; one that ran ahead of
the time of arrival is not believed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

import numpy as np

from model.resample import StreamResampler
from monitor.audio import Audio
from monitor.rtp.codecs import Companded, Decoder, is_supported, open_decoder
from monitor.rtp.conceal import LONGEST_S, ConcealedSpans, conceal
from monitor.rtp.jitter_buffer import OrderedPacket
from monitor.rtp.packet import RtpPacket
from monitor.rtp.packet_order import PacketOrder
from monitor.rtp.payload import EVENTS, REDUNDANT, SILENT, PayloadError, PayloadFormat, duration_s
from monitor.rtp.sound import NOTHING, DecodedAudio, join
from monitor.types import SAMPLE_RATE

GIVE_UP_S = 0.1
"""A packet that is missing for so long is lost: more than networks that carry calls reorder by."""
PLAUSIBLE_S = 1.0
"""A timestamp may run ahead of the time of arrival by so much between two packets."""
LONGEST_PAUSE_S = 30.0
UNKNOWN_S = 0.02
"""How long the audio of a packet is taken to be of which that is not known."""
DOUBLED = 5
"""Packets one after the other whose timestamps say twice their length, while they come at the pace of their length: the
sender's clock is twice as fast as it should be, such as of 16 kHz for G.722 (RFC 3551, section 4.5.2).
"""
RECENT = 6
"""Pieces of audio, or payloads, that are remembered, to go on from when one is lost."""


class RtpStream:
    """Packets of one SSRC in; sound at 16 kHz out, each piece right after the one before it.

    formats: payload types to formats. longest_pause_s: of a longer pause the rest is left out, so that no packet can
    ask for hours of silence. order: takes the packets. skipped: samples left out so far.
    unscored: packets of formats that no decoder knows, of which the end is missing, or that are none of their format,
    by name; their audio is lost.
    """

    def __init__(
        self,
        formats: Mapping[int, PayloadFormat],
        give_up_s: float = GIVE_UP_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self.order = PacketOrder(formats, give_up_s)
        self._bad = 0
        self.unscored: Counter[str] = Counter()
        self.skipped = 0
        self._longest_pause_s = longest_pause_s
        self.format: PayloadFormat | None = None
        self._formats = formats
        self.decoder: Decoder | None = None
        self.resampler = StreamResampler(SAMPLE_RATE, 1)
        self._last: OrderedPacket | None = None
        self._length = 0
        """Samples of the last packet, at the rate of its format."""
        self._doubled = 0
        """See DOUBLED."""
        self._missing = 0
        """Packets lost since the last one that had audio."""
        self._undecoded: tuple[OrderedPacket, OrderedPacket] | None = None
        """The first and the newest packet that nothing was made of since the last one that had audio."""
        self._recent: deque[Audio | bytes] = deque(maxlen=RECENT)
        self._placed_so_far = self._given = self._base = 0
        """Samples of this format put in their place; samples at 16 kHz given, and those of them before this format."""
        self._concealed = ConcealedSpans()

    @property
    def bad(self) -> int:
        """Count packets whose payload nothing could be made of."""
        return self._bad + self.order.bad

    def push(self, packet: RtpPacket, arrival: float) -> DecodedAudio:
        """Take a packet that arrived at that time, seconds, and give what is in its turn."""
        self.order.hold(packet, arrival)
        return self.give()

    def advance(self, now: float) -> DecodedAudio:
        """Give up what has been missing for too long."""
        self.order.expire(now)
        return self.give()

    def finish(self) -> DecodedAudio:
        """End the stream and return everything that is held."""
        self.order.flush()
        return join([self.give(), self._resampled([], last=True), self._undecoded_end()])

    def give(self) -> DecodedAudio:
        """Return everything that is in its turn."""
        if self.decoder is not None and (payloads := self.take_seamless()):
            return self._resampled([self.decoder.decode(b"".join(payloads))])
        ready, self.order.ready = self.order.ready, []
        pieces: list[DecodedAudio] = []
        raw: list[Audio] = []
        for ordered in ready:
            form = self._format_of(ordered.packet)
            self._missing += ordered.lost
            if form is None:
                self._bad += 1
                self._undecoded = (self._undecoded or (ordered, ordered))[0], ordered
            elif form.encoding not in SILENT:
                if form != self.format:
                    pieces += [self._resampled(raw), self._change(form)]
                    raw = []
                raw += self._placed(ordered, form)
        pieces += [self._resampled(raw)] if raw else []
        return join(pieces)

    def take_seamless(self) -> list[bytes]:
        """Take the payloads that are in their turn, for the caller to decode, to resample and to give to placed().

        [], and nothing is taken, where they do not follow the last packet and each other without a gap, or each has to
        be decoded by itself.
        """
        last, form, ready = self._last, self.format, self.order.ready
        if last is None or form is None or not isinstance(self.decoder, Companded) or self._missing or self._undecoded:
            return []
        kind, at, size, most = last.packet.payload_type, last.packet.timestamp, self._length, form.sample_rate
        for packet, _, lost, restarted in ready:
            at = at + size & 0xFFFF_FFFF
            if packet.payload_type != kind or packet.timestamp != at or lost or restarted or packet.missing:
                return []
            if not 0 < size <= PLAUSIBLE_S * most:
                return []
            size = len(packet.payload)
        payloads = [packet.payload for packet, *_ in ready]
        if not size:
            return []
        self._recent += payloads
        self._last, self._length, self.order.ready = ready[-1] if payloads else last, size, []
        self._placed_so_far += sum(map(len, payloads))
        return payloads

    def _format_of(self, packet: RtpPacket) -> PayloadFormat | None:
        """Return the format of a packet; None where nothing can be made of it, which is counted by its name."""
        form = self._formats.get(packet.payload_type)
        if form is None and packet.payload_type >= 96 and len(packet.payload) == 4 and packet.payload[0] <= 16:
            return PayloadFormat(EVENTS, 8000)  # by its look: a key is pressed (RFC 4733, section 2.3)
        if form is None or not is_supported(form) or form.encoding == REDUNDANT:
            self.unscored[str(form) if form else f"payload type {packet.payload_type}"] += 1
            return None
        if packet.missing:
            self.unscored["packets that were cut short"] += 1
        return form

    def _undecoded_end(self) -> DecodedAudio:
        """Lost audio in place of packets at the end that could not be decoded."""
        if self._undecoded is None:
            return NOTHING
        first, newest = self._undecoded
        begin = first.arrival if self._last is None else self._last.arrival + self._length / self._rate
        seconds = min(LONGEST_PAUSE_S, max(0.0, newest.arrival - begin) + UNKNOWN_S)
        return DecodedAudio(np.full(round(seconds * SAMPLE_RATE), np.nan, np.float32))

    @property
    def _rate(self) -> int:
        return self.format.sample_rate if self.format is not None else SAMPLE_RATE

    def _placed(self, ordered: OrderedPacket, form: PayloadFormat) -> list[Audio]:
        """Return the audio since the packet before, and that of this one, at the rate of the format."""
        between, lost = self._between(ordered, form)
        try:
            if ordered.packet.missing:
                raise PayloadError("its end is missing")
            if self.decoder is None:
                raise PayloadError("no decoder")
            samples = self.decoder.decode(ordered.packet.payload)
        except PayloadError:
            self._bad += 1
            if not ordered.packet.missing:
                self.unscored[f"payloads that are no {form}"] += 1
            samples = np.full(self._length or self._length_of(ordered.packet, form), np.nan, np.float32)
        if lost:
            self._conceal(between, min(lost, round(LONGEST_S * form.sample_rate)), samples, form.sample_rate)
        self._last, self._length, self._missing, self._undecoded = ordered, len(samples), 0, None
        pieces = [between, samples] if len(between) else [samples]
        self._recent += pieces
        self._placed_so_far += len(between) + len(samples)
        return pieces

    @staticmethod
    def _length_of(packet: RtpPacket, form: PayloadFormat) -> int:
        """Return the samples of a packet that cannot be decoded."""
        seconds = duration_s(form, packet.payload + bytes(packet.missing))
        return round((seconds or UNKNOWN_S) * form.sample_rate)

    def _conceal(self, between: Audio, n: int, after: Audio, rate: int) -> None:
        """Put into the first n samples of what lies between two packets what stands in for them, and remember where."""
        before = [
            self.decoder.decode(piece) if isinstance(piece, bytes) and self.decoder else piece for piece in self._recent
        ]
        between[:n] = conceal(np.concatenate([after[:0], *before]), after if n == len(between) else after[:0], n, rate)
        begin, end = (self._base + at * SAMPLE_RATE // rate for at in (self._placed_so_far, self._placed_so_far + n))
        self._concealed.add(begin, end)

    def _change(self, form: PayloadFormat) -> DecodedAudio:
        """Go on in another format. Returns what the resampler of the one before still held."""
        held = NOTHING
        if self.format is not None:
            held = self._resampled([], last=True)
            self._length = self._length * form.sample_rate // self.format.sample_rate
            self._base, self._placed_so_far = self._given, 0
            self._recent.clear()
        self.format = form
        try:
            self.decoder = open_decoder(form)
        except PayloadError as error:
            self.decoder = None
            self.unscored[str(error)] += 1
        self.resampler = StreamResampler(form.sample_rate, 1)
        return held

    def _between(self, ordered: OrderedPacket, form: PayloadFormat) -> tuple[Audio, int]:
        """NaN of lost packets, and how many samples of it, then silence of a pause: (n,) at the rate of the format."""
        if self._last is None:
            if self._undecoded is None:
                return np.zeros(0, np.float32), 0
            seconds = min(LONGEST_PAUSE_S, max(0.0, ordered.arrival - self._undecoded[0].arrival))
            return np.full(round(seconds * form.sample_rate), np.nan, np.float32), 0
        passed = (ordered.packet.timestamp - self._last.packet.timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        elapsed_s = max(0.0, ordered.arrival - self._last.arrival)
        passed_s = passed / self._clock(passed, elapsed_s, form)
        plausible = not ordered.restarted and 0 <= passed_s <= elapsed_s + PLAUSIBLE_S
        passed_s = passed_s if plausible else elapsed_s
        whole = round(passed_s * form.sample_rate) - self._length
        if whole <= 0:
            return np.zeros(0, np.float32), 0
        longest_s = LONGEST_PAUSE_S if self._missing or self._undecoded else self._longest_pause_s
        between = np.zeros(min(whole, round(longest_s * form.sample_rate)), np.float32)
        self.skipped += (whole - len(between)) * SAMPLE_RATE // form.sample_rate
        # Where the numbers go on, a timestamp that makes no sense hides no loss.
        whole_lost = self._undecoded is not None or (not plausible and (self._missing > 0 or ordered.restarted))
        lost = len(between) if whole_lost else min(len(between), self._missing * self._length)
        between[:lost] = np.nan
        return between, lost

    def _clock(self, passed: int, elapsed_s: float, form: PayloadFormat) -> int:
        """Return the rate of the timestamps, Hz."""
        length_s = self._length / form.sample_rate
        if not self._missing and passed and passed <= 2 * length_s * form.clock_rate:
            is_doubled = passed == round(2 * length_s * form.clock_rate) and elapsed_s < 1.5 * length_s
            self._doubled = self._doubled + 1 if is_doubled else 0
        return 2 * form.clock_rate if self._doubled >= DOUBLED else form.clock_rate

    def _resampled(self, pieces: list[Audio], last: bool = False) -> DecodedAudio:
        joined = pieces[0] if len(pieces) == 1 else np.concatenate([np.zeros(0, np.float32), *pieces])
        return self.placed(self.resampler.push(joined[None], last)[0])

    def placed(self, out: Audio) -> DecodedAudio:
        """Return what the resampler gave, with what of it is made up."""
        first, self._given = self._given, self._given + len(out)
        concealed = self._concealed.take(first, len(out))
        return DecodedAudio(out) if concealed is None else DecodedAudio(out, concealed & ~np.isnan(out))
