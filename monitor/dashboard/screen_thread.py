"""The thread that draws: pulls the view, draws what changed, and answers keys."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections.abc import Callable
from typing import Literal, cast

from rich.console import Console

from monitor.config.schema import DashboardSection
from monitor.dashboard.calls_table import status_summary
from monitor.dashboard.help import help_pages
from monitor.dashboard.key_reader import KeyReader
from monitor.dashboard.navigation import CallsSource, Navigator, Shown
from monitor.dashboard.plain import PlainScreen, summary_lines
from monitor.dashboard.render import KeyState
from monitor.dashboard.screens import FullScreen, OneLine, PlainLines, Screen
from monitor.dashboard.table_state import CallsTable, Column
from monitor.views import ServerStatus, View

Mode = Literal["full", "line", "plain", "off"]


def resolve_mode(config: DashboardSection, console: Console) -> Mode:
    """Choose a mode that the output can show: plain lines where it is no terminal, or cannot draw blocks."""
    if config.mode in ("off", "plain"):
        return config.mode
    capable = console.is_terminal and not console.is_dumb_terminal and console.encoding.startswith("utf")
    if config.mode == "auto":
        # FORCE_COLOR makes rich call a file a terminal; a screen in a file helps nobody.
        return "full" if capable and console.file.isatty() else "plain"
    return config.mode if capable else "plain"


class Dashboard:
    """Shows a call, or the calls of a server, until close(). on_quit is called in a thread of the dashboard when the
    user presses q.

    fault: why nothing is shown any more, such as a terminal that went away, or "". The monitor goes on without.
    """

    def __init__(
        self,
        source: Callable[[], View] | CallsSource,
        config: DashboardSection,
        *,
        on_quit: Callable[[], None],
        console: Console | None = None,
    ) -> None:
        self._navigator = Navigator(source)
        self._on_quit = on_quit
        self._mouse = config.mouse
        self._console = console or Console()
        self.mode: Mode = resolve_mode(config, self._console)
        self.fault = ""
        self._period = 1.0 / config.redraws_per_second
        self._state = KeyState(muted=not config.bell)
        self._alerts = 0
        self._screen: Screen | None = None
        self._table = False
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._keys = KeyReader(self.press)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take the terminal and begin to draw; at most once."""
        if self.mode == "off" or self._thread is not None:
            return
        atexit.register(self.close)
        if self.mode != "plain":
            self._keys.start()
        self._thread = threading.Thread(target=self._run, name="dashboard", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Draw the last frame, restore the terminal and print the summary. May be called twice, from any thread."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5.0)
        self._keys.close()
        atexit.unregister(self.close)

    def _run(self) -> None:
        try:
            last = self._show(self._opened())
            writer = PlainScreen(self._console.file)
            for text in status_summary(last) if isinstance(last, ServerStatus) else summary_lines(last):
                writer.write(text)
        except (OSError, SystemExit) as error:
            # SystemExit is what rich makes of a broken pipe.
            self.fault = f"the terminal cannot be written: {error}"
        finally:
            self._keys.stop()

    def _opened(self) -> Screen:
        if self.mode == "full":
            return FullScreen(self._console, self._mouse and sys.platform != "win32")
        return OneLine(self._console) if self.mode == "line" else PlainLines(self._console)

    def _show(self, screen: Screen) -> View | ServerStatus:
        """Draw until close(); returns the last view."""
        try:
            screen.open()
            self._screen = screen
            while not self._stop.is_set():
                self._draw(screen)
                self._rest(screen)
            self._state.paused, self._state.help_page = False, 0
            last = self._draw(screen)
            if isinstance(last, CallsTable):
                return last.status
            return self._navigator.whole() if last.back else last
        finally:
            screen.close()

    def _draw(self, screen: Screen) -> Shown:
        """Draw the newest view, or the one at which the screen was paused."""
        paused = self._state.paused
        shown = self._navigator.shown(frozen=paused)
        # The view of a call that has ended is as old as its end.
        stale = paused or (isinstance(shown, View) and shown.back and shown.finished)
        self._ring(self._navigator.alerts() if stale else _alerts(shown))
        self._table = isinstance(shown, CallsTable) or shown.back
        screen.show(shown, self._state)
        return shown

    def _rest(self, screen: Screen) -> None:
        """Wait until the next redraw is due; a key redraws at once."""
        until = time.monotonic() + self._period
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            if self._wake.wait(left):
                self._wake.clear()
                if not self._stop.is_set():
                    screen.show(self._navigator.shown(frozen=True), self._state)

    def _ring(self, alerts: int) -> None:
        """Ring the bell once for the alerts that opened since the last call. alerts: so far."""
        opened = alerts - self._alerts
        self._alerts += opened
        if opened > 0:
            self._state.missed += opened * self._state.paused
            if not self._state.muted and self.mode != "plain":
                self._console.bell()

    def press(self, key: str) -> None:
        """Do what a key says; those of the table and of its filter are the navigator's."""
        command = key.lower()
        if self._state.help_page:
            self._press_in_help(command)
        elif self._navigator.typing and not key.startswith("click"):
            self._navigator.press(key)
        elif command == "q":
            self._on_quit()
        elif command == "p":
            self._state.paused = not self._state.paused
            self._state.missed = 0
        elif command == "m":
            self._state.muted = not self._state.muted
        elif command == "?" and self.mode == "full":
            self._state.help_page = 1
        elif key.startswith("click "):
            self._click(*map(int, key.split()[1:]))
        else:
            self._navigator.press(key)
        self._wake.set()

    def _press_in_help(self, key: str) -> None:
        """Turn the page, close the help, or quit."""
        if key == "q":
            self._on_quit()
        page = self._state.help_page + (key in ("?", " ", "enter", "down", "page down"))
        last = page > help_pages(*self._console.size, self._table)
        self._state.help_page = 0 if last or page == self._state.help_page else page

    def _click(self, column: int, row: int) -> None:
        target = None if self._screen is None else self._screen.clicked(column, row)
        if target is None:
            return
        if target.action == "call":
            self._navigator.choose(target.value)
        else:
            self._navigator.sort(cast(Column, target.value))


def _alerts(shown: Shown) -> int:
    return shown.status.whole.alerts if isinstance(shown, CallsTable) else shown.alerts
