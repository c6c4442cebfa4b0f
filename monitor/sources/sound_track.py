"""One of the sound tracks of a file: decoded frames in, blocks of samples at one rate and layout out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from monitor.audio import Audio

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler, AudioStream


@dataclass
class SoundTrack:
    """The decoded sound of one stream of a file, until it is taken.

    rate, channels: what all of it is converted to; 0 = those of its beginning. frames: held now. given: taken so far.
    changed: where the rate or the layout changed, in words.
    """

    stream: AudioStream
    rate: int = 0
    channels: int = 0
    held: deque[Audio] = field(default_factory=deque)
    frames: int = 0
    given: int = 0
    changed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._shape: tuple[int, str, str] | None = None
        self._first: tuple[int, str] | None = None
        self._convert: AudioResampler | None = None

    def put(self, frame: AudioFrame | None) -> None:
        """Take a decoded frame; None at the end."""
        if frame is None:
            self._finish()
            return
        shape = frame.sample_rate, frame.layout.name, frame.format.name
        if shape != self._shape:
            self._finish()
            self._begin(frame)
            self._shape = shape
        self._hold(frame)

    def delay(self, seconds: float) -> None:
        """Put silence before what is held: the track begins later than the others."""
        if (n := round(seconds * self.rate)) > 0:
            self.held.appendleft(np.zeros((self.channels, n), np.float32))
            self.frames += n

    def _begin(self, frame: AudioFrame) -> None:
        """Convert what comes from here on: its rate or layout is new."""
        from av import AudioResampler

        now = frame.sample_rate, frame.layout.name
        if self._first is None:
            self._first = now
            self.rate, self.channels = self.rate or frame.sample_rate, frame.layout.nb_channels
        elif (now[0], frame.layout.nb_channels) != (self._first[0], self.channels):
            count = frame.layout.nb_channels
            at = f"from {(self.given + self.frames) / self.rate:.1f} s on"
            if self.changed and self.changed[-1].endswith(at):
                self.changed.pop()
            self.changed.append(f"{now[0]} Hz, {count} channel{'s' if count > 1 else ''} {at}")
        self._convert = AudioResampler(format="fltp", layout=self._first[1], rate=self.rate)

    def _finish(self) -> None:
        if self._convert is not None:
            self._hold(None)
            self._convert = None

    def _hold(self, frame: AudioFrame | None) -> None:
        assert self._convert is not None
        for piece in self._convert.resample(frame):
            samples = piece.to_ndarray().astype(np.float32, copy=False)
            if samples.shape[1]:
                self.held.append(samples)
                self.frames += samples.shape[1]

    def take(self, n: int) -> Audio:
        """Return the next n frames, float32 (channels, n), silence where there are no more."""
        out, at = np.zeros((self.channels, n), np.float32), 0
        while at < n and self.held:
            piece = self.held.popleft()
            size = min(n - at, piece.shape[1])
            out[:, at : at + size] = piece[:, :size]
            at += size
            if size < piece.shape[1]:
                self.held.appendleft(piece[:, size:])
        self.frames -= at
        self.given += n
        return out
