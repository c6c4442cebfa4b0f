"""Events as JSON lines on standard output, the same bytes as in a journal."""

from __future__ import annotations

import os
from collections.abc import Callable

from monitor.errors import SinkError
from monitor.events import wire
from monitor.events.sink import Sink
from monitor.types import Event

STDOUT = 1


class JsonLinesSink(Sink):
    """Writes to a file descriptor. gone: the reader has ended (`| head`); what follows is then thrown away.

    on_gone is called once, in the sink's thread, when the reader has ended: the program may want to end too.
    """

    name = "stdout"

    def __init__(self, fd: int = STDOUT, on_gone: Callable[[], None] | None = None) -> None:
        self._fd = fd
        self._on_gone = on_gone
        self._rest = b""
        self.gone = False

    def emit(self, event: Event) -> None:
        """Write one line at once; waits for a slow reader. Raises SinkError when it cannot be written."""
        if self.gone or not event.seq:
            return
        self._rest = self._rest or wire.encode(event) + b"\n"
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._fd, self._rest) :]
        except BrokenPipeError:
            self._leave()
        except OSError as error:
            raise SinkError(f"standard output: {error.strerror}") from error

    def _leave(self) -> None:
        self.gone = True
        self._rest = b""
        if self._on_gone:
            self._on_gone()
