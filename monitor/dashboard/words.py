"""Numbers and names as they stand on the screen. A number that is not known is "--"."""

from __future__ import annotations

import math
from datetime import datetime

from monitor.types import SAMPLE_RATE, Event, State
from monitor.views import ChannelView, ShardView

UNKNOWN_NUMBER = "--"


def clock(seconds: float) -> str:
    """Write whole seconds as 00:12, or 1:02:03 from an hour on."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes:02d}:{whole % 60:02d}"


def fine_clock(seconds: float) -> str:
    """Format a time as clock() does, with tenths of a second."""
    tenths = max(0, int(seconds * 10 + 1e-6))
    return f"{clock(tenths // 10)}.{tenths % 10}"


def event_time(event: Event) -> str:
    """Write the audio time of the event."""
    return fine_clock(event.sample / SAMPLE_RATE)


def local_time(event: Event) -> str:
    """Return the time of day at which the event was published, here."""
    try:
        return datetime.fromisoformat(event.time).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return "--:--:--"


def percent(p: float) -> str:
    """Return a probability in whole percent that never claims 0 or 100."""
    if math.isnan(p):
        return UNKNOWN_NUMBER
    if p < 0.005:
        return "<1%"
    return ">99%" if p >= 0.995 else f"{p * 100:.0f}%"


def number(value: float, unit: str, decimals: int) -> str:
    """Return the value with its unit."""
    return f"{value:.{decimals}f} {unit}" if math.isfinite(value) else UNKNOWN_NUMBER


def milliseconds(value: float) -> str:
    return number(value, "ms", 1 if value < 10 else 0)


def evidence(llr: float) -> str:
    """Return a log-likelihood ratio as odds with what they speak for: "32 to 1", "1 to 4.3", "--"."""
    if not math.isfinite(llr):
        return UNKNOWN_NUMBER
    ratio = odds(abs(llr))
    return f"{ratio} to 1" if llr >= 0 else f"1 to {ratio}"


def odds(llr: float) -> str:
    """Return e to the power of llr >= 0 with two digits: "1.3", "32", "450", "over 1000"."""
    ratio = math.exp(min(llr, 50.0))
    if ratio > 1000:
        return "over 1000"
    return f"{ratio:.1f}" if ratio < 9.95 else f"{float(f'{ratio:.2g}'):.0f}"


def lost(seconds: float) -> str:
    """Return seconds of audio that were lost."""
    return (
        f"lost {seconds:.1f} s" if seconds >= 0.05 else f"lost {seconds * 1000:.0f} ms" if seconds > 0 else "lost none"
    )


def level(dbfs: float) -> str:
    """Write dB relative to full scale, without the unit."""
    return f"{dbfs:.0f}" if math.isfinite(dbfs) else UNKNOWN_NUMBER


def speech(channel: ChannelView) -> str:
    """Format the net speech so far: "listening 0.8 / 2.0 s" before the first verdict."""
    if channel.state is State.LISTENING:
        return f"listening {channel.net_speech_s:.1f} / {channel.needed_speech_s:.1f} s"
    return f"net speech {channel.net_speech_s:.1f} s"


def data_number(event: Event, key: str) -> float:
    """Return a number of the event's data, NaN if it has none of that name."""
    value = event.data.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def shard(view: ShardView) -> str:
    """Return a shard's name with the share of its time in which it scores, or with what else it does."""
    return f"{view.name} {view.busy:.0%}" if view.state == "up" else f"{view.name} {view.state}"
