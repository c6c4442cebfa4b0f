"""The audio of one party of a captured call: from its packets to samples on the clock of the call."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Audio
from monitor.captures.spool import PacketReader, PacketSpool
from monitor.captures.srtp import Decryption
from monitor.captures.timeline import PacketTrack, Window, windows
from monitor.rtp.jitter_buffer import MAX_DROPOUT
from monitor.rtp.packet_loss import UNKNOWN_S
from monitor.rtp.rtp_stream import RtpStream
from monitor.rtp.sound import DecodedAudio
from monitor.types import SAMPLE_RATE

TOGETHER = 10
"""Packets that are decoded at once, which costs less than one by one."""


class LegAudio:
    """Gives the audio of a leg from its beginning on. Silence is what no stream of it speaks in; lost audio is NaN.

    left_out: packets of streams that are not heard because another stream of the same party was there at that time.
    undecoded: packets so far whose payload is not what it is said to be, by name.
    """

    def __init__(self, tracks: Sequence[PacketTrack], spool: PacketSpool) -> None:
        self._windows, self.left_out = windows(tracks)
        self._readers = {id(track): PacketReader(spool, _decryption(track)) for track in tracks}
        self.undecoded: Counter[str] = Counter()
        self._pieces = self._all()
        self._held: deque[tuple[int, DecodedAudio]] = deque()
        """Index of its first sample, and sound, in order; they do not overlap."""
        self._taken = 0
        self.end = 0
        """Index of the sample behind what was found so far."""
        self.ended = False
        """Nothing comes any more behind what was taken."""

    def take(self, n: int) -> tuple[Audio, NDArray[np.bool_]]:
        """Return the next n samples, float32 (n,); and bool (n,) of which are concealed."""
        until = self._taken + n
        out, concealed = np.zeros(n, np.float32), np.zeros(n, np.bool_)
        while self.end < until and (piece := next(self._pieces, None)) is not None:
            begin = max(piece[0], self.end)
            self._held.append((begin, piece[1]))
            self.end = begin + len(piece[1])
        while self._held and self._held[0][0] < until:
            begin, sound = self._held.popleft()
            size = min(len(sound), until - begin)
            at = begin - self._taken
            out[at : at + size] = sound.samples[:size]
            if sound.concealed is not None:
                concealed[at : at + size] = sound.concealed[:size]
            if size < len(sound):
                self._held.appendleft((until, sound.after(size)))
        self._taken = until
        self.ended = self.end <= until and not self._held and self._exhausted()
        return out, concealed

    def _exhausted(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return True
        begin = max(piece[0], self.end)
        self._held.append((begin, piece[1]))
        self.end = begin + len(piece[1])
        return False

    def _all(self) -> Iterator[tuple[int, DecodedAudio]]:
        before: Window | None = None
        for window in self._windows:
            begin = round(window.begin * SAMPLE_RATE)
            lost = _lost_between(before, window)
            if lost:
                yield max(0, begin - lost), DecodedAudio(np.full(min(lost, begin), np.nan, np.float32))
            yield from self._decoded(window, begin)
            before = window

    def _decoded(self, window: Window, position: int) -> Iterator[tuple[int, DecodedAudio]]:
        track = window.track
        closed = track.part.encrypted or track.part.refused
        stream = RtpStream({} if closed else track.part.formats)
        reader, packets = self._readers[id(track)], window.track.packets
        skipped = 0
        for i in range(window.first, window.last):
            packet = reader.read(int(packets.place[i]), int(packets.length[i]), int(packets.missing[i]))
            if packet is None:
                continue
            stream.order.hold(packet, float(track.at[i]))
            if (i - window.first) % TOGETHER == TOGETHER - 1 and len(sound := stream.give()):
                position, skipped = position + stream.skipped - skipped, stream.skipped
                yield position, sound
                position += len(sound)
        sound = stream.finish()
        self.undecoded.update({what: n for what, n in stream.unscored.items() if what.startswith("payloads")})
        if len(sound):
            yield position + stream.skipped - skipped, sound


def _decryption(track: PacketTrack) -> Callable[[bytes], bytes | None] | None:
    return Decryption(track.part.key).decrypt if track.part.key else None


def _lost_between(before: Window | None, window: Window) -> int:
    """Return the samples of packets that are missing where a stream goes on after a long pause, or from elsewhere."""
    if before is None or window.covered:
        return 0
    last, now = before.track, window.track
    goes_on = before.last == window.first if last is now else last.part.log.ssrc == now.part.log.ssrc
    numbers = int(now.packets.sequence[window.first] - last.packets.sequence[before.last - 1] & 0xFFFF)
    if not goes_on or not 1 < numbers < MAX_DROPOUT:
        return 0
    usual = np.diff(last.at[max(before.first, before.last - 50) : before.last])
    step = float(np.median(usual)) if len(usual) else UNKNOWN_S
    apart = max(0.0, float(now.at[window.first] - last.at[before.last - 1]))
    return round(min((numbers - 1) * step, apart) * SAMPLE_RATE)
