"""Calls in captures, made on the spot, and what is heard of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from captured import A, B, End, packed
from rtp_senders import sent

from monitor.audio import Audio, Chunk
from monitor.rtp.packet import RtpPacket
from monitor.sources.capture_file import CaptureFile, CaptureSource
from monitor.types import Condition

C, D = ("198.51.100.7", 7000), ("198.51.100.9", 9000)
Sent = list[tuple[float, End, End, bytes]]


def flow(source: End, target: End, begin: float = 0.0, kind: int = 0, seconds: float = 2.0, ssrc: int = 1) -> Sent:
    """One party's packets, 20 ms each."""
    encoder = {0: "pcm_mulaw", 8: "pcm_alaw", 9: "g722", 96: "libopus"}[kind]
    some = [RtpPacket(kind, False, p.sequence, p.timestamp, ssrc, p.payload) for p in sent(kind, encoder, seconds)[1]]
    return [(begin + i * 0.02, source, target, packed(p)) for i, p in enumerate(some)]


def two_way(a: End = A, b: End = B) -> Sent:
    return sorted([*flow(a, b), *flow(b, a, 0.3, kind=8, ssrc=2)], key=lambda s: s[0])


def heard(source: CaptureSource) -> tuple[Audio, list[Condition]]:
    """All audio, NaN where it was lost, and all conditions."""
    chunks, conditions, at = [np.zeros((len(source.channels), 0), np.float32)], [], 0
    for item in source.chunks():
        if isinstance(item, Condition):
            conditions.append(item)
            continue
        assert isinstance(item, Chunk)
        assert item.start == at
        at += item.samples.shape[1]
        lost = [marks for marks in (item.lost, item.concealed) if marks is not None]
        chunks.append(np.where(np.any(lost, axis=0), np.float32(np.nan), item.samples) if lost else item.samples)
    return np.concatenate(chunks, axis=1), conditions


def only(path: Path) -> CaptureSource:
    """The source of the one call in a capture."""
    found = CaptureFile(path)
    (call,) = found.calls
    return CaptureSource(found, call)


def in_time(sent: Sent) -> Sent:
    """Datagrams in the order of their times."""
    return sorted(sent, key=lambda s: s[0])
