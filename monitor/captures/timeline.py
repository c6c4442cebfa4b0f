"""The time of a call in a capture: its packets in order, its clock without jumps, and which stream is heard when.

Captures are joined from several files, written by several cards, and their clocks are set while they run. The order of
packets is that of their times, unless the numbers that their senders gave them go on better in the order of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from monitor.captures.captured_call import LegPart
from monitor.captures.spool import SPLIT_S, PacketIndex, PacketSpool, index

LONGEST_GAP_S = 120.0
"""A longer stretch without any packet of a call is shortened to this: the clock jumped, or the call was on hold."""
STOPPED_S, NEAR = 0.5, 50
"""A stream that stays late by so much, for so many packets and more, paused while its timestamps stood still."""
SHORTEST_PACKET_S = 0.01

Times = NDArray[np.float64]


@dataclass(frozen=True)
class PacketTrack:
    """The packets of a part in their order. at: seconds since the call began, by a clock that does not jump."""

    part: LegPart
    packets: PacketIndex
    at: Times


@dataclass(frozen=True)
class Window:
    """The packets first to last (exclusive) of a track, which are heard then. covered: others were heard before it."""

    track: PacketTrack
    first: int
    last: int
    covered: bool = False

    @property
    def begin(self) -> float:
        return float(self.track.at[self.first])


@dataclass(frozen=True)
class CallTimeline:
    """tracks: of each leg. jumped_s: seconds that were left out of stretches without packets, or that the clock went
    back.
    """

    tracks: tuple[tuple[PacketTrack, ...], ...]
    jumped_s: float


def settle(legs: Sequence[Sequence[LegPart]], spool: PacketSpool) -> CallTimeline:
    """Put the packets of a call in order and on one clock."""
    parts = [part for leg in legs for part in leg]
    indices = [_within(index(part.log, spool), part) for part in parts]
    by_time = [i.take(np.argsort(i.at, kind="stable")) for i in indices]
    if sum(map(_backwards, by_time)) <= sum(map(_backwards, indices)):
        indices, key = by_time, "at"
    else:
        key = "number"
    times, jumped = _clock(indices, [_rate(part) for part in parts], [getattr(i, key) for i in indices])
    tracks = iter([PacketTrack(*found) for found in zip(parts, indices, times, strict=True)])
    return CallTimeline(tuple(tuple(next(tracks) for _ in leg) for leg in legs), jumped)


def _within(packets: PacketIndex, part: LegPart) -> PacketIndex:
    return packets.take((packets.at >= part.begin) & (packets.at < part.end))


def _backwards(packets: PacketIndex) -> int:
    """Return how often a packet has a lower number than the one before it."""
    steps = (np.diff(packets.sequence) + 0x8000 & 0xFFFF) - 0x8000
    return int((steps < 0).sum())


def _clock(
    indices: Sequence[PacketIndex], clocks: Sequence[int], keys: Sequence[NDArray[np.float64]]
) -> tuple[list[Times], float]:
    """Return the times since the first packet of all, of each stream."""
    order = np.argsort(np.concatenate(keys), kind="stable")
    if not len(order):
        return [np.zeros(0) for _ in indices], 0.0
    raw = np.concatenate([i.at for i in indices])[order]
    steps = np.diff(raw, prepend=raw[0])
    allowed = steps.clip(0.0)
    for at in np.flatnonzero(steps > LONGEST_GAP_S).tolist():
        allowed[at] = min(LONGEST_GAP_S, _announced_gap(indices, clocks, raw[at - 1], raw[at]))
    merged = np.empty(len(order))
    merged[order] = np.cumsum(allowed)
    ends = np.cumsum([len(i) for i in indices])
    return np.split(merged, ends[:-1]), float(np.abs(steps - allowed).sum())


def _rate(part: LegPart) -> int:
    """Return the clock rate of a stream's timestamps, Hz."""
    rates = (form.clock_rate for kind in part.log.kinds if (form := part.formats.get(kind)) is not None)
    return max(rates, default=8000)


def _announced_gap(indices: Sequence[PacketIndex], clocks: Sequence[int], before: float, after: float) -> float:
    """Return the seconds between two moments as the streams say that go on with the next number; LONGEST_GAP_S where
    none does."""
    gaps = []
    for packets, clock in zip(indices, clocks, strict=True):
        last, first = np.flatnonzero(packets.at <= before), np.flatnonzero(packets.at >= after)
        if not len(last) or not len(first):
            continue
        a, b = last[-1], first[0]
        if packets.sequence[b] == (packets.sequence[a] + 1) & 0xFFFF:
            units = int(packets.timestamp[b] - packets.timestamp[a] & 0xFFFF_FFFF)
            gaps.append(units / clock)
    return max(gaps, default=LONGEST_GAP_S)


def windows(tracks: Sequence[PacketTrack]) -> tuple[list[Window], int]:
    """Return which packets of the streams of a leg are heard, by their time: of several at once those of the stream
    that began last. Returns them, and how many packets of other streams were not heard meanwhile.
    """
    items: list[tuple[float, float, int, int, PacketTrack]] = []
    for track in sorted(tracks, key=lambda track: track.part.audible):
        bounds = [0, *_pauses(track), len(track.at)]
        for first, last in pairwise(bounds):
            if last > first:
                items.append((float(track.at[first]), float(track.at[last - 1]), first, last, track))
    ranked = sorted(items, key=lambda item: (item[4].part.audible, item[0]))
    found: list[Window] = []
    left_out = 0
    for rank, (begin, end, first, last, track) in enumerate(ranked):
        later = [(b, e) for b, e, *_, other in ranked[rank + 1 :] if b <= end and e >= begin and other is not track]
        keep = np.ones(last - first, np.bool_)
        at = track.at[first:last]
        for b, e in later:
            keep &= (at < b) | (at > e)
        if not keep.all() and not any(_same(track, other) for *_, other in ranked[rank + 1 :]):
            left_out += int((~keep).sum())
        # Where another stream speaks in a pause of this one, this one goes on behind it.
        before = {int(np.searchsorted(at, b)) for b, _ in later}
        before = {cut for cut in before if 0 < cut < len(at) and at[cut] - at[cut - 1] > STOPPED_S}
        edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]).astype(np.int8))).tolist()
        for i in range(0, len(edges), 2):
            inside = sorted(
                cut for cut in before if edges[i] < cut < edges[i + 1] and at[cut] - at[cut - 1] > STOPPED_S
            )
            for begin_at, end_at in pairwise([edges[i], *inside, edges[i + 1]]):
                found.append(Window(track, first + begin_at, first + end_at, covered=bool(begin_at)))
    return sorted(found, key=lambda window: window.begin), left_out


def _pauses(track: PacketTrack) -> list[int]:
    """Return the packets before which a stream paused for long, or for longer than its timestamps say. After a network
    that stood still the packets come in a burst, and the stream catches up; after a pause it does not.
    """
    waited = np.diff(track.at)
    steps = (np.diff(track.packets.timestamp) + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
    late = np.concatenate([[0.0], np.cumsum(waited - steps / _rate(track.part))])
    found = []
    for at in (np.flatnonzero(waited > STOPPED_S) + 1).tolist():
        pause_s = float(waited[at - 1])
        caught_up = at + NEAR + round(pause_s / SHORTEST_PACKET_S)
        behind = late[at:caught_up].min() - np.median(late[max(0, at - NEAR) : at])
        if pause_s > SPLIT_S or behind > STOPPED_S:
            found.append(at)
    return found


def _same(track: PacketTrack, other: PacketTrack) -> bool:
    """Return whether two streams are one, seen at two places."""
    return track.part.log.ssrc == other.part.log.ssrc
