"""The thread that draws: pulls the view, draws what changed, and answers keys."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from typing import Literal, Protocol

from rich.console import Console
from rich.control import Control
from rich.live import Live

from monitor.config.schema import DashboardSection
from monitor.dashboard.calls_table import board_line, board_summary, render_board
from monitor.dashboard.canvas import Block, ScreenFrame
from monitor.dashboard.key_reader import KeyReader
from monitor.dashboard.plain import News, PlainScreen, summary_lines
from monitor.dashboard.render import KeyState, line, render
from monitor.views import Board, View

Mode = Literal["full", "line", "plain", "off"]
Shown = View | Board


class _Screen(Protocol):
    def open(self) -> None: ...

    def show(self, view: Shown, keys: KeyState) -> None: ...

    def close(self) -> None:
        """Leave the terminal as it was. May be called twice."""


class _Full:
    """The alternate screen of the terminal.

    Written without rich's Live, which measures every segment five times over to crop what already has its size: 0.6
    instead of 2.3 ms for a frame of 120 x 40.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._colour = not console.no_color and console.color_system is not None
        self._rows: Block = []

    def open(self) -> None:
        self._console.set_alt_screen(True)
        self._console.show_cursor(False)

    def show(self, view: Shown, keys: KeyState) -> None:
        width, height = self._console.size
        if isinstance(view, Board):
            frame = render_board(view, width, height, keys)
        else:
            frame = render(
                view, width, height, paused=keys.paused, muted=keys.muted, missed=keys.missed, colour=self._colour
            )
        if frame.rows == self._rows:
            return
        self._rows = frame.rows
        with self._console:  # One write a frame, so that it does not flicker.
            self._console.control(Control.home())
            self._console.print(frame, end="", crop=False)

    def close(self) -> None:
        if self._console.is_alt_screen:
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)


class _OneLine:
    """One line that stays at the bottom, with the news above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._news = News()

    def open(self) -> None:
        self._live.start()

    def show(self, view: Shown, keys: KeyState) -> None:
        if not keys.paused:
            for text in self._news.lines(view):
                self._console.print(text, markup=False, highlight=False, emoji=False)
        # The last column stays empty: some terminals wrap when it is written.
        width = self._console.width - 1
        row = board_line(view, width) if isinstance(view, Board) else line(view, width, keys.paused)
        self._live.update(ScreenFrame([row]), refresh=True)

    def close(self) -> None:
        self._live.stop()


class _Plain:
    def __init__(self, console: Console) -> None:
        self._screen = PlainScreen(console.file)

    def open(self) -> None:
        """Do nothing: there is nothing to prepare."""

    def show(self, view: Shown, keys: KeyState) -> None:
        del keys
        self._screen.show(view, time.monotonic())

    def close(self) -> None:
        """Do nothing: there is nothing to restore."""


_SCREENS: dict[Mode, Callable[[Console], _Screen]] = {"full": _Full, "line": _OneLine, "plain": _Plain}


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
    """Shows view() until close(). on_quit is called in a thread of the dashboard when the user presses q.

    fault: why nothing is shown any more, such as a terminal that went away, or "". The monitor goes on without.
    """

    def __init__(
        self,
        view: Callable[[], Shown],
        config: DashboardSection,
        *,
        on_quit: Callable[[], None],
        on_key: Callable[[str], None] = lambda _: None,
        console: Console | None = None,
    ) -> None:
        """on_key: called with the keys that mean nothing to the dashboard itself."""
        self._view = view
        self._on_quit, self._on_key = on_quit, on_key
        self._console = console or Console()
        self.mode: Mode = resolve_mode(config, self._console)
        self.fault = ""
        self._period = 1.0 / config.redraws_per_second
        self._state = KeyState(muted=not config.bell)
        self._alerts = 0
        self._shown: Shown | None = None
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
            last = self._show(_SCREENS[self.mode](self._console))
            writer = PlainScreen(self._console.file)
            for text in board_summary(last) if isinstance(last, Board) else summary_lines(last):
                writer.write(text)
        except (OSError, SystemExit) as error:
            # SystemExit is what rich makes of a broken pipe.
            self.fault = f"the terminal cannot be written: {error}"
        finally:
            self._keys.stop()

    def _show(self, screen: _Screen) -> Shown:
        """Draw until close(); returns the last view."""
        try:
            screen.open()
            while not self._stop.is_set():
                self._draw(screen, self._view())
                self._rest(screen)
            self._state.paused = False
            last = self._view()
            self._draw(screen, last)
            return last
        finally:
            screen.close()

    def _draw(self, screen: _Screen, view: Shown) -> None:
        """Draw the newest view, or the one at which the screen was paused."""
        self._ring(view)
        if not self._state.paused or self._shown is None:
            self._shown = view
        screen.show(self._shown, self._state)

    def _rest(self, screen: _Screen) -> None:
        """Wait until the next redraw is due; a key redraws the present view at once."""
        until = time.monotonic() + self._period
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            if self._wake.wait(left):
                self._wake.clear()
                if self._shown is not None and not self._stop.is_set():
                    screen.show(self._shown, self._state)

    def _ring(self, view: Shown) -> None:
        """Ring the bell once for the alerts that opened since the last call."""
        whole = view.whole if isinstance(view, Board) else view
        opened = whole.alerts - self._alerts
        self._alerts += opened
        if opened > 0:
            self._state.missed += opened * self._state.paused
            if not self._state.muted and self.mode != "plain":
                self._console.bell()

    def press(self, key: str) -> None:
        """Do what a key says: q, p or m; others are somebody else's."""
        if key == "q":
            self._on_quit()
        elif key == "p":
            self._state.paused = not self._state.paused
            self._state.missed = 0
        elif key == "m":
            self._state.muted = not self._state.muted
        else:
            self._on_key(key)
        self._wake.set()
