"""Audio without a header: how the user says what it is, and what its name suggests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import BadInputError
from monitor.sources.pcm_reader import SAMPLES, PcmFormat

CODECS: Mapping[str, int] = {"g722": 16_000, "gsm": 8000, "g729": 8000}
"""Codecs whose frames follow each other without a header, by the names of FFmpeg, with their rate in Hz."""
ALIASES = {"ulaw": "mulaw", "pcmu": "mulaw", "pcma": "alaw", "slin": "s16le", "s16": "s16le", "pcm": "s16le"}
SUGGESTED: Mapping[str, str] = {
    **dict.fromkeys((".ul", ".ulaw", ".mulaw", ".pcmu", ".mu", ".u"), "mulaw,8000"),
    **dict.fromkeys((".al", ".alaw", ".pcma", ".la"), "alaw,8000"),
    **dict.fromkeys((".sw", ".s16", ".raw", ".pcm", ".sln", ".slin", ".lin", ".snd", ".sn"), "s16le,8000"),
    **{f".sln{k}": f"s16le,{rate}" for k, rate in ((8, 8000), (12, 12_000), (16, 16_000), (24, 24_000))},
    **{f".sln{k}": f"s16le,{rate}" for k, rate in ((32, 32_000), (44, 44_100), (48, 48_000), (96, 96_000))},
    ".sb": "s8,8000",
    ".ub": "u8,8000",
    ".g722": "g722",
    ".gsm": "gsm",
    ".g729": "g729",
}
_TEXT = re.compile(r"([a-z0-9]+)(?:,(\d{4,6}))?(?:,([1-9]))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CodecFormat:
    """A codec of CODECS."""

    codec: str


def read_raw_format(text: str) -> PcmFormat | CodecFormat:
    """Read a format such as mulaw,8000 or s16le,16000,2 or g722. Raises BadInputError."""
    match = _TEXT.fullmatch(text.strip())
    name = match[1].lower() if match else ""
    name = ALIASES.get(name, name)
    if match and name in CODECS and not match[3]:
        return CodecFormat(name)
    if match and name in SAMPLES and match[2] and 1000 <= int(match[2]) <= 400_000:
        return PcmFormat(name, int(match[2]), int(match[3] or 1))
    known = ", ".join([*SAMPLES, *CODECS])
    raise BadInputError(
        f"--format {text} is not a format",
        f"write NAME,RATE or NAME,RATE,CHANNELS, such as mulaw,8000; names are {known}",
    )


def hint_for(path: Path, otherwise: str) -> str:
    """Advise about a file without a header."""
    suggested = SUGGESTED.get(path.suffix.lower())
    if suggested is None:
        return f"{otherwise}; audio without a header needs --format, such as --format mulaw,8000"
    return f"if it is audio without a header, say what it is: --format {suggested}, for instance"
