"""Single keys from the terminal, without echo and without Enter; the terminal is always left as it was found."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence

from monitor.dashboard.key_codes import KeyCodes

_POLL_S = 0.1


class KeyReader:
    """Calls on_key in a thread of its own, from start() to close().

    on_key gets what KeyCodes makes of it.

    Does nothing where keys cannot be read: input that is no terminal, or a program in the background, which would
    be stopped for reading. fd: the terminal, default standard input.
    """

    def __init__(self, on_key: Callable[[str], None], fd: int | None = None) -> None:
        self._on_key = on_key
        self._fd = _stdin() if fd is None else fd
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._restore: Callable[[], None] = _nothing
        self._codes = KeyCodes()

    def start(self) -> bool:
        """Begin to read; returns whether keys can be read at all."""
        if self._fd is None or not os.isatty(self._fd) or not _foreground(self._fd):
            return False
        self._restore = _without_echo(self._fd)
        self._thread = threading.Thread(target=self._run, args=(self._fd,), name="keys", daemon=True)
        self._thread.start()
        return True

    def stop(self) -> None:
        """Restore the terminal and let the thread end; does not wait for it."""
        self._stop.set()
        self._restore()

    def close(self) -> None:
        """Call stop(), then wait for the thread. May be called twice, and from on_key."""
        self.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10 * _POLL_S)

    def _run(self, fd: int) -> None:
        try:
            while not self._stop.is_set():
                for key in _read(fd, self._stop, self._codes):
                    self._on_key(key)
        except OSError:
            return  # The terminal hung up: there are no more keys.
        finally:
            self._restore()


if sys.platform == "win32":
    _WINDOWS = {"H": "up", "P": "down", "G": "home", "O": "end", "I": "page up", "Q": "page down"}

    def _without_echo(fd: int) -> Callable[[], None]:
        """Do nothing: the Windows console has no such mode."""
        del fd
        return _nothing

    def _read(fd: int, stop: threading.Event, codes: KeyCodes) -> Sequence[str]:
        import msvcrt

        del fd
        stop.wait(_POLL_S)
        if not msvcrt.kbhit():
            return ()
        char = msvcrt.getwch()
        if char in "\x00\xe0":  # A key without a character; the next one says which.
            arrow = _WINDOWS.get(msvcrt.getwch())
            return () if arrow is None else (arrow,)
        return codes.feed(char.encode())

else:

    def _without_echo(fd: int) -> Callable[[], None]:
        """Read keys one by one and unseen; return what restores the mode before."""
        import termios
        import tty

        before = termios.tcgetattr(fd)
        tty.setcbreak(fd)

        def restore() -> None:
            try:
                termios.tcsetattr(fd, termios.TCSANOW, before)
            except termios.error:
                return  # The terminal is gone, and its mode with it.

        return restore

    def _read(fd: int, stop: threading.Event, codes: KeyCodes) -> Sequence[str]:
        """Read the keys typed within the poll interval. Raises OSError at the end of input."""
        import select

        if not _foreground(fd):
            stop.wait(_POLL_S)
            return ()
        if not select.select([fd], [], [], _POLL_S)[0]:
            return ()
        data = os.read(fd, 1024)
        if not data:
            raise OSError("end of input")
        return codes.feed(data)


def _nothing() -> None:
    """Do nothing: there is nothing to restore."""


def _stdin() -> int | None:
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def _foreground(fd: int) -> bool:
    """Return whether this program may read the terminal without being stopped by it."""
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True  # Not the controlling terminal: no job control there.
