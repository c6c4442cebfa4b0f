"""Formats of RTP payloads by payload type, and how long the audio of a payload is (RFC 3551)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitor.rtp.amr import amr_frames
from monitor.rtp.framing import g723_frames, g729_frames, ilbc_frame_bytes, speex_frames

COMFORT_NOISE = "CN"
EVENTS = "TELEPHONE-EVENT"
REDUNDANT = "RED"
REPAIR = frozenset({"RTX", "ULPFEC", "PARITYFEC", "FLEXFEC", "FLEXFEC-03"})
"""Formats that repair other packets (RFC 4588, 5109, 8627); it is no voice of its own."""
SILENT = frozenset({COMFORT_NOISE, EVENTS, *REPAIR})
"""Encodings that carry no audio: their packets are in sequence, and a pause is where they stand."""
G726 = {f"{order}G726-{rate}": bits for order in ("", "AAL2-") for rate, bits in ((16, 2), (24, 3), (32, 4), (40, 5))}
"""Encoding to bits of a sample: first samples in the lower bits (RFC 3551, 4.5.4), or in the upper (AAL2-)."""
_SPELLINGS = dict.fromkeys(("G729A", "G729B", "G729AB", "G.729"), "G729") | {"G721": "G726-32"}
"""Names that some phones give to encodings."""
_WIDTH = {"L8": 1, "L16": 2, "L24": 3, "PCMU": 1, "PCMA": 1}
_TEXT = re.compile(r"([\w.+-]{1,32})/(\d{4,6})(?:/([1-8]))?(?:\s*;\s*(.{0,200}))?", re.ASCII)


class PayloadError(ValueError):
    """A payload that its decoder refuses; the text says why."""


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """Encoding, in capitals, as SDP names it. clock_rate: Hz, of the timestamps. sample_rate: Hz, of the audio. fmtp:
    parameters, such as "octet-align=1; mode-set=0,7".
    """

    encoding: str
    clock_rate: int
    channels: int = 1
    fmtp: str = ""

    @property
    def sample_rate(self) -> int:
        # RFC 3551, section 4.5.2: the clock of G.722 says 8000 by an old mistake that everybody keeps.
        return 16_000 if self.encoding == "G722" else self.clock_rate

    def parameter(self, name: str) -> str:
        """Return the value of a parameter, "" where it is not given."""
        for part in self.fmtp.split(";"):
            key, _, value = part.strip().partition("=")
            if key.strip().lower() == name:
                return value.strip()
        return ""

    def __str__(self) -> str:
        return f"{self.encoding}/{self.clock_rate}" + (f"/{self.channels}" if self.channels > 1 else "")


STATIC: Mapping[int, PayloadFormat] = {
    0: PayloadFormat("PCMU", 8000),
    2: PayloadFormat("G726-32", 8000),
    3: PayloadFormat("GSM", 8000),
    4: PayloadFormat("G723", 8000),
    5: PayloadFormat("DVI4", 8000),
    6: PayloadFormat("DVI4", 16_000),
    7: PayloadFormat("LPC", 8000),
    8: PayloadFormat("PCMA", 8000),
    9: PayloadFormat("G722", 8000),
    10: PayloadFormat("L16", 44_100, 2),
    11: PayloadFormat("L16", 44_100),
    12: PayloadFormat("QCELP", 8000),
    13: PayloadFormat(COMFORT_NOISE, 8000),
    14: PayloadFormat("MPA", 90_000),
    15: PayloadFormat("G728", 8000),
    16: PayloadFormat("DVI4", 11_025),
    17: PayloadFormat("DVI4", 22_050),
    18: PayloadFormat("G729", 8000),
    19: PayloadFormat(COMFORT_NOISE, 8000),
}
"""Payload types that need no description (RFC 3551, table 4); 19 is what old senders use for comfort noise."""
DYNAMIC = 96
"""Payload types from here on mean what a description says of them."""
USUAL: Mapping[int, PayloadFormat] = {101: PayloadFormat(EVENTS, 8000)}
"""Dynamic payload types that mean the same nearly everywhere; a description overrules them."""


def encoding_name(text: str) -> str:
    """Return an encoding as PayloadFormat has it, from what a description calls it."""
    return _SPELLINGS.get(text.upper(), text.upper())


def read_format(text: str) -> PayloadFormat | None:
    """Read NAME/RATE or NAME/RATE/CHANNELS, and perhaps "; PARAMETERS"; return None where it makes no sense."""
    match = _TEXT.fullmatch(text.strip())
    if match is None or not 4000 <= int(match[2]) <= 192_000:
        return None
    return PayloadFormat(encoding_name(match[1]), int(match[2]), int(match[3] or 1), match[4] or "")


def duration_s(form: PayloadFormat, payload: bytes) -> float:
    """Return how long the audio of a payload is, seconds, told without decoding it; 0.0 where it holds none."""
    known = _DURATIONS.get(form.encoding)
    if known is not None:
        return known(form, payload)
    if form.encoding in _WIDTH:
        return len(payload) / (_WIDTH[form.encoding] * form.channels * form.clock_rate)
    if form.encoding in G726:
        return 8 * len(payload) / (G726[form.encoding] * form.clock_rate)
    return 0.0 if form.encoding in SILENT else len(payload) / form.clock_rate


def opus_s(payload: bytes) -> float:
    """Return the duration in s by the first bytes of an Opus packet (RFC 6716, section 3.1)."""
    if not payload:
        return 0.0
    config, code = payload[0] >> 3, payload[0] & 3
    frame_ms = (10, 20, 40, 60)[config % 4] if config < 12 else (10, 20)[config % 2] if config < 16 else 0.0
    frames = (1, 2, 2, payload[1] & 0x3F if len(payload) > 1 else 0)[code]
    return frames * (frame_ms or (2.5, 5, 10, 20)[config % 4]) / 1000


def _amr_s(form: PayloadFormat, payload: bytes) -> float:
    frames = amr_frames(payload, form.encoding == "AMR-WB", form.parameter("octet-align") == "1")
    return 0.02 * len(frames) if frames is not None else 0.0


def _ilbc_s(form: PayloadFormat, payload: bytes) -> float:
    size = ilbc_frame_bytes(len(payload), form.parameter("mode"))
    return len(payload) / size * (0.02 if size == 38 else 0.03) if size else 0.0


_DURATIONS: Mapping[str, Callable[[PayloadFormat, bytes], float]] = {
    "OPUS": lambda _, payload: opus_s(payload),
    "G729": lambda _, payload: 0.01 * len(g729_frames(payload) or ()),
    "GSM": lambda _, payload: len(payload) // 33 * 0.02,
    "G723": lambda _, payload: 0.03 * len(g723_frames(payload) or ()),
    "ILBC": _ilbc_s,
    "SPEEX": lambda _, payload: 0.02 * speex_frames(payload),
    "AMR": _amr_s,
    "AMR-WB": _amr_s,
}
