"""Ctrl-C while the program loads."""

from __future__ import annotations

import signal
import threading
from types import FrameType

RETRY_S = 0.05


def spare_imports() -> None:
    """Have Ctrl-C raise KeyboardInterrupt as ever, but not within an import: compiled modules turn it into another
    error there, or print it and go on. It is raised as soon as the import has ended. To be called in the main thread.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _imports(frame):
        raise KeyboardInterrupt
    again = threading.Timer(RETRY_S, signal.raise_signal, [number])
    again.daemon = True
    again.start()


def _imports(frame: FrameType | None) -> bool:
    """Return whether a frame runs within an import."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None
