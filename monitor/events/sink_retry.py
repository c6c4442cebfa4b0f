"""When a sink that fails is offered its event again."""

from __future__ import annotations

from monitor.errors import SinkError

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 2.0


class SinkRetry:
    """fault: why the sink fails now; "" while it works. due: when it is tried again, by the caller's clock, seconds."""

    def __init__(self) -> None:
        self.fault = ""
        self.due = 0.0
        self._delay = 0.0

    def failed(self, error: SinkError, now: float, *, set_aside: bool) -> bool:
        """Note a failure, for which an event may be set aside. Returns whether the sink has worked until then."""
        worked = not self.fault
        self.fault = error.message
        self._delay = min(LONGEST_RETRY_S, self._delay * 2 or FIRST_RETRY_S)
        wait = self._delay if error.retry_in_s is None else error.retry_in_s
        # The first event that is set aside delays nothing; a sink that takes none at all is not hurried.
        self.due = now + (0.0 if set_aside and worked else wait)
        return worked

    def recovered(self) -> None:
        """Note that the sink works."""
        self.fault, self._delay, self.due = "", 0.0, 0.0
