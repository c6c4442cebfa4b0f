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
from monitor.rtp.packet_loss import LONGEST_PAUSE_S, PLAUSIBLE_S, UNKNOWN_S, PacketLoss
from monitor.rtp.packet_order import PacketOrder
from monitor.rtp.payload import EVENTS, REDUNDANT, SILENT, PayloadError, PayloadFormat, duration_s
from monitor.rtp.sound import NOTHING, DecodedAudio, join
from monitor.types import SAMPLE_RATE

GIVE_UP_S = 0.1
"""A packet that is missing for so long is lost: more than networks that carry calls reorder by."""
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
        self.loss = PacketLoss(longest_pause_s)
        self.format: PayloadFormat | None = None
        self._formats = formats
        self.decoder: Decoder | None = None
        self.resampler = StreamResampler(SAMPLE_RATE, 1)
        self._recent: deque[Audio | bytes] = deque(maxlen=RECENT)
        self._placed_so_far = self._given = self._base = 0
        """Samples of this format put in their place; samples at 16 kHz given, and those of them before this format."""
        self._concealed = ConcealedSpans()

    @property
    def skipped(self) -> int:
        """Count samples at 16 kHz of pauses that were left out."""
        return self.loss.skipped

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
        held = [self.give(), self._resampled([], last=True)]
        rate = self.format.sample_rate if self.format is not None else SAMPLE_RATE
        return join([*held, DecodedAudio(self.loss.at_end(rate))])

    def give(self) -> DecodedAudio:
        """Return everything that is in its turn."""
        if self.decoder is not None and (payloads := self.take_contiguous()):
            return self._resampled([self.decoder.decode(b"".join(payloads))])
        ready, self.order.ready = self.order.ready, []
        pieces: list[DecodedAudio] = []
        raw: list[Audio] = []
        for ordered in ready:
            form = self._format_of(ordered.packet)
            self.loss.count(ordered, form is not None)
            if form is None:
                self._bad += 1
            elif form.encoding not in SILENT:
                if form != self.format:
                    pieces += [self._resampled(raw), self._change(form)]
                    raw = []
                raw += self._placed(ordered, form)
        pieces += [self._resampled(raw)] if raw else []
        return join(pieces)

    def take_contiguous(self) -> list[bytes]:
        """Take the payloads that are in their turn, for the caller to decode, to resample and to give to placed().

        [], and nothing is taken, where they do not follow the last packet and each other without a gap, or each has to
        be decoded by itself.
        """
        loss, form, ready = self.loss, self.format, self.order.ready
        last = loss.last
        if last is None or form is None or not isinstance(self.decoder, Companded) or loss.any:
            return []
        kind, at, size, most = last.packet.payload_type, last.packet.timestamp, loss.length, form.sample_rate
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
        loss.last, loss.length, self.order.ready = ready[-1] if payloads else last, size, []
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

    def _placed(self, ordered: OrderedPacket, form: PayloadFormat) -> list[Audio]:
        """Return the audio since the packet before, and that of this one, at the rate of the format."""
        between, lost = self.loss.between(ordered, form)
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
            samples = np.full(self.loss.length or self._length_of(ordered.packet, form), np.nan, np.float32)
        if lost:
            self._conceal(between, min(lost, round(LONGEST_S * form.sample_rate)), samples, form.sample_rate)
        self.loss.go_on(ordered, len(samples))
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
            self.loss.length = self.loss.length * form.sample_rate // self.format.sample_rate
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

    def _resampled(self, pieces: list[Audio], last: bool = False) -> DecodedAudio:
        joined = pieces[0] if len(pieces) == 1 else np.concatenate([np.zeros(0, np.float32), *pieces])
        return self.placed(self.resampler.push(joined[None], last)[0])

    def placed(self, out: Audio) -> DecodedAudio:
        """Return what the resampler gave, with what of it is made up."""
        first, self._given = self._given, self._given + len(out)
        concealed = self._concealed.take(first, len(out))
        return DecodedAudio(out) if concealed is None else DecodedAudio(out, concealed & ~np.isnan(out))
