"""Pairs the streams on a line of two ports as the two parties of one call. Pure.

RTP has no signalling, so that only this is announced: the ports of the line; the port that a sender sends from, which
both parties of a call may share; and taps.rtp.port_step, where the sender numbers its ports so. Where none of it
decides between calls that begin together, each stream is a call of its own: two calls are never mixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from monitor.captures.ip_packets import Endpoint
from monitor.rtp.payload import PayloadFormat
from monitor.taps.rtp.flood_guard import Key
from monitor.taps.rtp.stream_audio import StreamAudio

YOUNG, YOUNG_S = 25, 2.0
"""A call of fewer packets is over after so much silence: it was hardly one, and takes the place of one."""


@dataclass(frozen=True)
class CallPorts:
    """Ports on which the streams of a call arrive. ports: one a party, each with its formats. names: of the parties.
    step: source port of the second party less that of the first, 0 where nobody says.
    """

    ports: tuple[int, ...]
    names: tuple[str, ...]
    formats: tuple[Mapping[int, PayloadFormat], ...]
    step: int = 0

    def prefix(self, host: str) -> str:
        """Return how the ids of the calls of a host begin here."""
        return f"rtp-{self.ports[0]}-{host}-"


@dataclass
class RtpCall:
    """A running call. streams: by address and SSRC. alone: it began beside others, and its parties are not known."""

    id: str
    begun: float
    streams: dict[Key, StreamAudio] = field(default_factory=dict)
    alone: bool = False

    def idle_s(self, now: float, longest_s: float) -> float:
        """Return the length of silence after which it is over, where so much has passed; else 0."""
        silent_s = now - max((t.newest for t in self.streams.values()), default=-inf)
        shortest_s = min(YOUNG_S, longest_s)
        if silent_s <= shortest_s:
            return 0.0
        limit_s = shortest_s if sum(t.packets for t in self.streams.values()) < YOUNG else longest_s
        return limit_s if silent_s > limit_s else 0.0

    def lacks(self, party: int) -> bool:
        """Return whether no stream is of this party."""
        return all(sender.channel != party for sender in self.streams.values())

    def sends_from(self, port: int) -> bool:
        """Return whether a stream of it comes from this port."""
        return any(key[0][1] == port for key in self.streams)


@dataclass(frozen=True)
class Pairing:
    """The calls of a host that lack a party. announced: those that are named as the new stream's own."""

    announced: Sequence[RtpCall]
    others: Sequence[RtpCall]
    step: int

    @property
    def guesses(self) -> bool:
        """Return whether the stream could be a party only because no other call lacks one: others may begin with it."""
        return not self.announced and bool(self.others) and not self.step

    def choose(self, rivals: Iterable[Endpoint]) -> RtpCall | None:
        """Return the stream's call, if it is known. rivals: senders whose streams could be the party as well."""
        if self.announced or self.step:
            return self.announced[0] if len(self.announced) == 1 else None
        return self.others[0] if len(self.others) == 1 and not any(rivals) else None


def pair(calls: Iterable[RtpCall], line: CallPorts, party: int, source: Endpoint) -> Pairing:
    """Return what is known of the call of a new stream: of this party, from that source."""
    host, port = source
    if len(line.ports) == 1:
        return Pairing((), (), line.step)
    lacking = [call for call in calls if call.id.startswith(line.prefix(host)) and call.lacks(party)]
    other = port + (line.step if party == 0 else -line.step)
    announced = [call for call in lacking if call.sends_from(other)]
    return Pairing(announced, [call for call in lacking if call not in announced and not call.alone], line.step)
