"""The faults that the monitor knows. Only monitor/cli/main.py prints them and exits."""

from __future__ import annotations


class MonitorError(Exception):
    """A fault with one line that says what is wrong and one that says what to do."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInputError(MonitorError):
    """The user named something that cannot be used: no such file or device, not audio, an impossible value."""


class ConfigError(BadInputError):
    """An unknown key, a value of the wrong kind, or a pair of values that cannot go together."""


class WeightsError(BadInputError):
    """A weights file that is missing, damaged or of another version."""


class SourceError(MonitorError):
    """A source failed while it ran and could not recover."""


class SinkError(MonitorError):
    """A sink could not take an event; it will be offered the event again.

    retry_in_s: when, where the sink knows better than the back-off of its worker. final: never; the event is dropped.
    """

    def __init__(self, message: str, hint: str = "", *, retry_in_s: float | None = None, final: bool = False) -> None:
        super().__init__(message, hint)
        self.retry_in_s, self.final = retry_in_s, final
