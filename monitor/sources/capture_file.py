"""A call in a network capture as a source: its RTP streams, one party a channel."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from monitor.audio import Chunk
from monitor.captures.assemble_calls import find_calls
from monitor.captures.captured_call import CapturedCall, Leg
from monitor.captures.explain import names, nothing_found, unscored
from monitor.captures.leg_audio import LegAudio
from monitor.captures.moved_streams import moves
from monitor.captures.scan import scan
from monitor.captures.timeline import settle
from monitor.errors import BadInputError
from monitor.rtp.payload import PayloadFormat
from monitor.types import SAMPLE_RATE, Condition

STEP = SAMPLE_RATE // 50
"""Samples of a chunk."""
UNTRUSTED = 0.5
"""A party of whose packets a larger share cannot be scored gets no verdict."""
NOTED_JUMP_S = 1.0
MOST_MOVES = 5
"""Changes of the address of a party that are said."""


class CaptureFile:
    """A capture that was read once. calls: those that can be scored. left_out: what is not, in words.

    formats: what payload types mean that nothing in the capture describes. Raises BadInputError where there is no call
    to score, and says why.
    """

    def __init__(self, path: Path, formats: Mapping[int, PayloadFormat] | None = None) -> None:
        self.path = path
        self._scan = scan(path)
        self.spool, self.cut_off = self._scan.spool, self._scan.cut_off
        found = find_calls(self._scan, formats)
        self.calls = found.calls
        self.left_out = names(found)
        if not self.calls:
            self.close()
            message, hint = nothing_found(found, self._scan)
            raise BadInputError(f"{path}: {message}", hint)

    def close(self) -> None:
        """Let go of the packets."""
        self.spool.close()


class CaptureSource:
    """One call of a capture. speed: None = as fast as it is taken, 1.0 = as fast as it was spoken. step: samples of a
    chunk.

    total_s: from its first packet of audio to its last.
    """

    live = False

    def __init__(
        self, capture: CaptureFile, call: CapturedCall, speed: float | None = None, *, step: int = STEP
    ) -> None:
        said = [f"({call.parties[0]} to {call.parties[1]})"] if all(call.parties) else []
        self.name = " ".join([capture.path.name, *said])
        self.channels = tuple(leg.name for leg in call.legs)
        self._capture, self._call, self._speed, self._step = capture, call, speed, step
        self._closed = threading.Event()
        timeline = settle([leg.parts for leg in call.legs], capture.spool)
        self._jumped_s = timeline.jumped_s
        self._legs = [LegAudio(tracks, capture.spool) for tracks in timeline.tracks]
        self.total_s = max((float(t.at[-1]) for tracks in timeline.tracks for t in tracks if len(t.at)), default=0.0)

    def chunks(self) -> Iterator[Chunk | Condition]:
        """Yield the call once, what is not scored of it first; a capture that is cut off ends with "ended early"."""
        begun, start = time.monotonic(), 0
        yield from self.notes()
        while not all(leg.ended for leg in self._legs):
            if self._closed.is_set():
                return
            end = start + self._step
            if self._speed is not None:
                self._closed.wait(max(0.0, begun + end / SAMPLE_RATE / self._speed - time.monotonic()))
            taken = [leg.take(self._step) for leg in self._legs]
            left = max(leg.end for leg in self._legs) - start
            if 0 < left < self._step and all(leg.ended for leg in self._legs):
                taken = [(samples[:left], concealed[:left]) for samples, concealed in taken]
                end = start + left
            samples, concealed = np.stack([t[0] for t in taken]), np.stack([t[1] for t in taken])
            lost = np.isnan(samples)
            concealed &= ~lost
            marks = (lost if lost.any() else None), (concealed if concealed.any() else None)
            yield Chunk(np.nan_to_num(samples), start, 0.0, *marks)
            start = end
        for name, audio in zip(self.channels, self._legs, strict=True):
            for what, packets in audio.undecoded.items():
                yield Condition("not scored", f"{packets} {what}", usable=True, channel=name)
        if self._capture.cut_off:
            yield Condition("ended early", f"the capture is cut off: {self._capture.cut_off}", usable=True)

    def notes(self) -> Iterator[Condition]:
        """Yield conditions that name what is not scored, by channel."""
        for leg, audio in zip(self._call.legs, self._legs, strict=True):
            yield from _notes(leg, audio)
            if not any(self._call.parties):
                yield from _moves(leg, self._call.begun)
        if self._jumped_s > NOTED_JUMP_S:
            detail = f"{self._jumped_s:.0f} s are left out: no packets, or the clock of the capture jumped"
            yield Condition("clock jump", detail, usable=True)

    def close(self) -> None:
        """End chunks()."""
        self._closed.set()


def _notes(leg: Leg, audio: LegAudio) -> Iterator[Condition]:
    items = unscored(leg)
    trusted = sum(item.share for item in items) < UNTRUSTED
    for item in items:
        yield Condition("not scored", str(item), trusted, leg.name)
        trusted = True
    if audio.left_out:
        detail = f"{audio.left_out} packets of a stream beside the one that is heard"
        yield Condition("not scored", detail, usable=True, channel=leg.name)


def _moves(leg: Leg, begun: float) -> Iterator[Condition]:
    """Return conditions that name from where a party goes on that no signalling moved."""
    found = moves(leg.parts)
    for at, (host, port) in found[:MOST_MOVES]:
        detail = f"from {at - begun:.1f} s on it sends from {host}:{port}, with the next numbers of the same stream"
        yield Condition("sender moved", detail, usable=True, channel=leg.name)
    if (more := len(found) - MOST_MOVES) > 0:
        yield Condition("sender moved", f"and {more} times more", usable=True, channel=leg.name)
