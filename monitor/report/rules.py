"""Says in words what the settings of a run mean, and what stood behind a verdict. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import exp
from typing import Any

_LLR = re.compile(r"\balerts\.(suspicious|alert|whole|close|clear)_llr\b")
_SECONDS = re.compile(r"\balerts\.(\w+_s)\b")


def ratio(llr: float) -> str:
    """Write a log-likelihood ratio (nats) as odds for synthetic speech: "16 to 1", "even odds", "1 to 3.3"."""
    if abs(llr) < 0.05:
        return "even odds"
    value = exp(min(abs(llr), 20.0))
    digits = f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{float(f'{value:.2g}'):.0f}"
    return f"{digits} to 1" if llr > 0 else f"1 to {digits}"


def seconds(value: float) -> str:
    """Write a duration: "one second", "0.6 s"."""
    return "one second" if value == 1 else f"{value:g} s"


def explained(why: str, settings: Mapping[str, Any]) -> str:
    """Return a reason with the values of the settings that it names; those that are not known keep their names."""

    def value(match: re.Match[str]) -> str:
        found = settings.get(match.group())
        if not isinstance(found, int | float) or isinstance(found, bool):
            return match.group()
        return ratio(float(found)) if match.re is _LLR else seconds(float(found))

    return _SECONDS.sub(value, _LLR.sub(value, why))


def rules(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what each verdict needed, in words, then the prior; nothing where the settings are not known."""
    known = {key: float(v) for key, v in settings.items() if isinstance(v, int | float) and not isinstance(v, bool)}

    def in_words(text: str, **keys: str) -> str:
        values = {name: known.get(f"alerts.{key}") for name, key in keys.items()}
        if any(value is None for value in values.values()):
            return ""
        words = {
            name: ratio(v) if name.startswith("odds") else seconds(v) for name, v in values.items() if v is not None
        }
        return text.format(**words)

    rows = [
        ("suspicious", in_words("above {odds} for {held} of speech", odds="suspicious_llr", held="suspicious_hold_s")),
        ("an alert opens", in_words("above {odds} for {held} of speech", odds="alert_llr", held="alert_hold_s")),
        (
            "or",
            in_words(
                "above {odds} over all speech of the call, after {least} of it", odds="whole_llr", least="whole_after_s"
            ),
        ),
        ("an alert closes", in_words("below {odds} for {held} of speech", odds="close_llr", held="close_hold_s")),
        (
            "clear",
            in_words("below {odds}, averaged over about {memory} of speech", odds="clear_llr", memory="clear_memory_s"),
        ),
    ]
    if (least := known.get("evidence.min_speech_s")) is not None:
        rows.insert(0, ("no verdict before", f"{seconds(least)} of speech"))
    if (prior := known.get("evidence.prior")) is not None:
        rows.append(("prior", f"{prior * 100:g} % of calls were taken to be synthetic before the call"))
    return [(name, text) for name, text in rows if text]
