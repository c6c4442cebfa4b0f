"""Says in words what of a capture is not scored, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.captures.assemble_calls import FoundCalls
from monitor.captures.captured_call import CapturedCall, Leg, LegPart
from monitor.captures.ip_packets import CUT_SHORT, endpoints
from monitor.captures.scan import Scan
from monitor.rtp.codecs import DECODERS, why_not
from monitor.rtp.payload import REDUNDANT, SILENT

WHOLE = "capture whole packets, with tcpdump -s 0"
ENCRYPTED = "encrypted (SRTP)"
NO_KEYS = (
    "it cannot be scored without its keys: capture the SIP that holds them (a=crypto) and install pylibsrtp, "
    "or capture behind the gateway"
)
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Unscored:
    """Packets of a leg that are not scored. share: of all its packets."""

    what: str
    packets: int
    share: float

    def __str__(self) -> str:
        return f"{self.what}: {self.packets} packet{'s' if self.packets != 1 else ''}"


def unscored(leg: Leg) -> list[Unscored]:
    """Return the packets of a leg that are not scored, by the reason."""
    found: Counter[str] = Counter()
    total = 0
    for part in leg.parts:
        total += part.log.packets
        found.update(_of_part(part))
    return [Unscored(what, packets, packets / total) for what, packets in found.most_common()]


def _of_part(part: LegPart) -> Iterator[str]:
    if part.encrypted:
        yield from [f"{ENCRYPTED}, not scored"] * part.log.packets
        return
    if part.refused:
        yield from [part.refused] * part.log.packets
        return
    for kind, packets in part.log.kinds.items():
        form = part.formats.get(kind)
        if form is None:
            yield from [f"payload type {kind} not scored: nothing says what it is"] * packets
        elif reason := why_not(form):
            yield from [f"{form.encoding.lower()} not scored: {reason}"] * packets
    yield from [f"cut short by the capture's snap length; {WHOLE}"] * part.log.cut


def names(found: FoundCalls) -> list[str]:
    """Return the calls that cannot be scored, and streams that nothing describes, one a line."""
    lines = []
    for call in found.silent:
        reasons = sorted({str(item) for leg in call.legs for item in unscored(leg)})
        lines.append(f"{_title(call)}: {'; '.join(reasons) or 'no audio in it'}")
    for log, contents in found.unassigned:
        (host, port), (other, other_port) = endpoints(log.ends)
        for kind, packets in log.kinds.items():
            shape = f" ({contents.shapes[kind]})" if kind in contents.shapes else ""
            ways = f"{host}:{port} to {other}:{other_port}"
            lines.append(f"payload type {kind}{shape}, {ways}: {packets} packets; nothing says what it is")
    for call in found.copies:
        packets = sum(part.packets for leg in call.legs for part in leg.parts)
        lines.append(f"{_title(call)}: {packets} packets of another call, seen at another place")
    more = len(lines) - _MOST_NAMED
    return [*lines[:_MOST_NAMED], f"and {more} more"] if more > 1 else lines


def _title(call: CapturedCall) -> str:
    if all(call.parties):
        return f"the call {call.parties[0]} to {call.parties[1]}"
    return " and ".join(leg.name for leg in call.legs)


def nothing_found(found: FoundCalls, scan: Scan) -> tuple[str, str]:
    """Return why there is no call to score, and what to do."""
    legs = [leg for call in found.silent for leg in call.legs]
    unknown = sorted({name for leg in legs for name in _encodings(leg)})
    kinds = sorted({kind for log, _ in found.unassigned for kind in log.kinds})
    if any(part.encrypted for leg in legs for part in leg.parts):
        message, hint = f"the audio is {ENCRYPTED}", NO_KEYS
    elif unknown:
        message, hint = f"the audio is {', '.join(unknown)}", f"{', '.join(DECODERS)} can be decoded"
    elif kinds:
        message = "no RTP audio was found whose payload type is known"
        setting = f'taps.rtp.payload_types = {{ {kinds[0]} = "opus/48000/2" }}'
        hint = f"say what it is, such as {setting}, or capture the SIP, too"
    elif scan.counts[CUT_SHORT]:
        message, hint = "no RTP audio was found, and packets were cut short", WHOLE
    else:
        message, hint = "no RTP audio was found", "was the capture made where the call's audio passes, before it began?"
    seen = [*names(found), *_counted(scan)]
    return f"{message}; seen: {'; '.join(seen) if seen else 'no packets'}", hint


def _encodings(leg: Leg) -> Iterator[str]:
    for part in leg.parts:
        for kind in part.log.kinds:
            form = part.formats.get(kind)
            if form is not None and form.encoding not in {*SILENT, REDUNDANT} and (reason := why_not(form)):
                yield f"{form.encoding} ({reason})"


def _counted(scan: Scan) -> Iterator[str]:
    if scan.dialogues.messages:
        yield f"{scan.dialogues.messages} SIP messages"
    small = sum(log.packets for log in scan.logs)
    if small:
        yield f"{small} packets that look like RTP"
    for name, count in scan.counts.most_common(12):
        yield f"{count} {name}"
