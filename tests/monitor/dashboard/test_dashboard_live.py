"""The drawing thread, the keys and the plain lines, against real pseudo-terminals."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from dashboard_views import EVENTS, FAULT, alert_event, broken, channel, clear, view
from rich.console import Console

from monitor.config.schema import DashboardSection
from monitor.dashboard import Dashboard
from monitor.dashboard.key_reader import KeyReader
from monitor.dashboard.live import resolve_mode
from monitor.dashboard.plain import PlainScreen
from monitor.types import Event, State
from monitor.views import View

pytestmark = pytest.mark.realtime

WAIT_S = 10.0
FAST = DashboardSection(mode="full", redraws_per_second=10.0)
BELL = "\x07"


def until(condition: Callable[[], bool]) -> bool:
    """Wait for it, with a bound."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


class Terminal(io.StringIO):
    """Takes what is written to a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def terminal(width: int = 100, height: int = 30, **options: object) -> tuple[Console, Terminal]:
    file = Terminal()
    options = {"color_system": "truecolor", "force_terminal": True, "_environ": {"TERM": "xterm"}} | options
    return Console(file=file, width=width, height=height, **options), file  # type: ignore[arg-type]


def shown(file: io.StringIO) -> str:
    """What was written, without escape codes."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())


def nothing() -> None:
    """For keys that nobody presses."""


@pytest.fixture
def tty() -> Iterator[tuple[int, int]]:
    """The two ends of a pseudo-terminal: what a person types into, and what the program reads."""
    person, program = pty.openpty()
    yield person, program
    os.close(person)
    os.close(program)


def test_keys_are_read_one_by_one_and_the_terminal_is_restored(tty: tuple[int, int]) -> None:
    person, program = tty
    before = termios.tcgetattr(program)
    pressed: list[str] = []
    reader = KeyReader(pressed.append, program)
    assert reader.start()
    assert termios.tcgetattr(program)[3] & (termios.ECHO | termios.ICANON) == 0
    os.write(person, b"P")
    assert until(lambda: pressed == ["P"])
    os.write(person, b"\x1b[A\x1bOP")
    os.write(person, b"q")
    reader.close()
    reader.close()
    assert termios.tcgetattr(program) == before
    assert not [t for t in threading.enumerate() if t.name == "keys"]


def test_function_keys_are_no_keys(tty: tuple[int, int]) -> None:
    pressed: list[str] = []
    reader = KeyReader(pressed.append, tty[1])
    reader.start()
    os.write(tty[0], b"\x1bOQ")
    time.sleep(0.2)
    os.write(tty[0], b"m")
    assert until(lambda: bool(pressed))
    reader.close()
    assert pressed == ["m"]


@pytest.mark.parametrize(
    ("typed", "key"), [(b"\x1b[A", "up"), (b"\x1b[B", "down"), (b"\x1b", "escape"), (b"\r", "enter"), (b"\n", "enter")]
)
def test_keys_with_names(tty: tuple[int, int], typed: bytes, key: str) -> None:
    pressed: list[str] = []
    reader = KeyReader(pressed.append, tty[1])
    reader.start()
    os.write(tty[0], typed)
    assert until(lambda: bool(pressed))
    reader.close()
    assert pressed == [key]


def test_the_terminal_is_restored_when_a_key_raises(tty: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    before = termios.tcgetattr(tty[1])
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))

    def fail(key: str) -> None:
        raise RuntimeError(key)

    KeyReader(fail, tty[1]).start()
    os.write(tty[0], b"x")
    assert until(lambda: seen == [RuntimeError])
    assert termios.tcgetattr(tty[1]) == before


def test_keys_end_with_the_terminal() -> None:
    person, program = pty.openpty()
    reader = KeyReader(print, program)
    reader.start()
    os.close(person)
    assert until(lambda: not [t for t in threading.enumerate() if t.name == "keys"])
    reader.close()
    os.close(program)


def test_no_keys_without_a_terminal(tmp_path: Path) -> None:
    with (tmp_path / "input").open("w+") as file:
        reader = KeyReader(print, file.fileno())
        assert not reader.start()
        reader.close()


def test_the_screen_is_left_and_the_summary_stays() -> None:
    console, file = terminal()
    dashboard = Dashboard(view, FAST, on_quit=nothing, console=console)
    dashboard.start()
    assert until(lambda: "likelihood synthetic" in file.getvalue())
    dashboard.close()
    dashboard.close()
    written = file.getvalue()
    entered, left = written.index("\x1b[?1049h"), written.index("\x1b[?1049l")
    assert entered < left
    assert written.index("\x1b[?25l") < written.index("\x1b[?25h")
    summary = written[left:]
    assert "caller: ALERT, likelihood synthetic 97%" in summary
    assert "agent: CLEAR" in summary
    assert not [t for t in threading.enumerate() if t.name in ("dashboard", "keys")]


def test_nothing_is_drawn_when_nothing_changed() -> None:
    console, file = terminal()
    looks: list[float] = []

    def look() -> View:
        looks.append(time.monotonic())
        return view()

    dashboard = Dashboard(look, FAST, on_quit=nothing, console=console)
    dashboard.start()
    assert until(lambda: len(looks) > 5)
    dashboard.close()
    assert file.getvalue().count("mute the bell") == 1
    assert min(b - a for a, b in pairwise(looks[:-1])) > 0.09


def test_a_resize_is_followed() -> None:
    console, file = terminal(100, 30)
    dashboard = Dashboard(view, FAST, on_quit=nothing, console=console)
    dashboard.start()
    assert until(lambda: file.getvalue().count("mute the bell") == 1)
    console.size = (60, 14)  # type: ignore[assignment]
    assert until(lambda: file.getvalue().count("mute the bell") == 2)
    dashboard.close()
    last = io.StringIO(file.getvalue().split("\x1b[H")[-1].split("\x1b[?25h")[0])
    frame = shown(last)
    assert [len(row) for row in frame.split("\n")] == [60] * 14


class Changing:
    """A view that a test changes while it is shown."""

    def __init__(self, start: View) -> None:
        self.now = start

    def __call__(self) -> View:
        return self.now


def test_keys_pause_and_mute_and_quit() -> None:
    console, file = terminal()
    source = Changing(view(clear(), elapsed_s=10.0))
    quits: list[bool] = []
    dashboard = Dashboard(source, FAST, on_quit=lambda: quits.append(True), console=console)
    dashboard.start()
    assert until(lambda: "00:10" in file.getvalue())
    dashboard.press("p")
    assert until(lambda: "PAUSED" in file.getvalue())
    source.now = view(channel(), elapsed_s=20.0)
    assert until(lambda: "1 new alert" in file.getvalue())
    assert "00:20" not in file.getvalue()
    assert file.getvalue().count(BELL) == 1
    dashboard.press("m")
    assert until(lambda: "bell muted" in file.getvalue())
    source.now = view(channel(alerts=2), elapsed_s=21.0)
    dashboard.press("p")
    assert until(lambda: "00:21" in file.getvalue())
    dashboard.press("q")
    dashboard.close()
    assert quits == [True]
    assert file.getvalue().count(BELL) == 1


def test_no_bell_when_the_configuration_says_so() -> None:
    console, file = terminal()
    dashboard = Dashboard(view, FAST.model_copy(update={"bell": False}), on_quit=nothing, console=console)
    dashboard.start()
    assert until(lambda: "ALERT" in file.getvalue())
    dashboard.close()
    assert BELL not in file.getvalue()


def test_no_color_is_followed() -> None:
    console, file = terminal(_environ={"TERM": "xterm", "NO_COLOR": "1"})
    dashboard = Dashboard(view, FAST, on_quit=nothing, console=console)
    dashboard.start()
    assert until(lambda: "ALERT" in file.getvalue())
    dashboard.close()
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", file.getvalue()))
    assert codes <= {"0", "1", "2", "1;7"}
    assert "░" in file.getvalue()


def test_the_line_stays_below_the_news() -> None:
    console, file = terminal()
    config = FAST.model_copy(update={"mode": "line"})
    dashboard = Dashboard(view, config, on_quit=nothing, console=console)
    dashboard.start()
    assert until(lambda: "97% caller" in shown(file))
    dashboard.close()
    assert "ALERT OPENED" in file.getvalue()
    assert "\x1b[?1049h" not in file.getvalue()


def test_off_writes_nothing() -> None:
    console, file = terminal()
    dashboard = Dashboard(view, FAST.model_copy(update={"mode": "off"}), on_quit=nothing, console=console)
    dashboard.start()
    dashboard.close()
    assert file.getvalue() == ""


def test_plain_lines_where_there_is_no_terminal() -> None:
    file = io.StringIO()
    source = Changing(view(clear(), events=EVENTS[:1]))
    dashboard = Dashboard(
        source, DashboardSection(redraws_per_second=10.0), on_quit=nothing, console=Console(file=file)
    )
    assert dashboard.mode == "plain"
    dashboard.start()
    assert until(lambda: "agent: CLEAR" in file.getvalue())
    stalled = Event("health", "call-7", "", 480_000, {"code": "stalled", "detail": "no audio", "usable": False}, 9)
    source.now = view(channel(), broken(), events=(*EVENTS, stalled))
    assert until(lambda: "stalled" in file.getvalue())
    source.now = replace(source.now, events=(*source.now.events, alert_event("closed", 28.0, 10)))
    assert until(lambda: "ALERT CLOSED" in file.getvalue())
    dashboard.close()
    written = file.getvalue()
    lines = written.split("\n")
    assert all(row.isprintable() for row in lines)
    assert lines.count("00:15.3 caller: ALERT OPENED, likelihood synthetic 97% (because)") == 1
    assert lines.count("00:15.3 caller: clear -> ALERT (evidence)") == 1
    assert "00:30.0 health: stalled: no audio, no trust in the input" in lines
    assert f"00:30.0 line 4: UNKNOWN, net speech 0.8 s, no trust in the input: {FAULT}" in lines
    assert "alert updated" not in written.lower()
    assert lines[-4].startswith("call-7")


@pytest.mark.parametrize("mode", ["auto", "full", "line"])
def test_modes_without_a_terminal_are_plain(mode: str) -> None:
    config = DashboardSection.model_validate({"mode": mode})
    assert resolve_mode(config, Console(file=io.StringIO())) == "plain"
    dumb, _ = terminal(_environ={"TERM": "dumb"})
    assert resolve_mode(config, dumb) == "plain"


def test_forced_colours_do_not_make_a_file_a_screen() -> None:
    console = Console(file=io.StringIO(), _environ={"FORCE_COLOR": "1", "TERM": "xterm"})
    assert console.is_terminal
    assert resolve_mode(DashboardSection(), console) == "plain"


class Gone(Terminal):
    """A terminal that hangs up after its first frame."""

    def write(self, text: str) -> int:
        if "likelihood" in self.getvalue():
            raise OSError(5, "Input/output error")
        return super().write(text)


def test_a_terminal_that_goes_away_ends_the_screen_only() -> None:
    console = Console(file=Gone(), width=100, height=30, force_terminal=True, _environ={"TERM": "xterm"})
    source = Changing(view(elapsed_s=1.0))
    dashboard = Dashboard(source, FAST, on_quit=nothing, console=console)
    dashboard.start()
    source.now = view(elapsed_s=2.0)
    assert until(lambda: "Input/output error" in dashboard.fault)
    dashboard.close()


PROGRAM = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from dashboard_views import view
from monitor.config.schema import DashboardSection
from monitor.dashboard import Dashboard
quit = threading.Event()
dashboard = Dashboard(view, DashboardSection(), on_quit=quit.set)
dashboard.start()
asked = quit.wait(30)
dashboard.close()
print("asked to quit:", asked, "threads:", threading.active_count())
"""


def test_q_in_a_real_terminal_quits_and_restores_it(tty: tuple[int, int]) -> None:
    person, program = tty
    termios.tcsetwinsize(program, (24, 80))
    before = termios.tcgetattr(program)
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parents[2])],
        stdin=program,
        stdout=program,
        stderr=program,
        env=environ,
        start_new_session=True,
    )
    output = read_until(person, b"mute the bell")
    assert b"ALERT" in output
    os.write(person, b"q")
    output = read_until(person, b"threads: 1")
    assert child.wait(WAIT_S) == 0
    assert b"\x1b[?1049l" in output
    assert b"asked to quit: True" in output
    assert termios.tcgetattr(program) == before


def read_until(terminal: int, mark: bytes) -> bytes:
    """What a program writes to its terminal up to a mark."""
    data, end = b"", time.monotonic() + 3 * WAIT_S
    while mark not in data:
        assert time.monotonic() < end, data
        if select.select([terminal], [], [], 0.1)[0]:
            data += os.read(terminal, 65536)
    return data


def test_states_are_said_once_without_state_events() -> None:
    file = io.StringIO()
    source = Changing(view(clear(), events=()))
    dashboard = Dashboard(
        source, DashboardSection(redraws_per_second=10.0), on_quit=nothing, console=Console(file=file)
    )
    dashboard.start()
    assert until(lambda: "agent: CLEAR" in file.getvalue())
    source.now = view(clear(state=State.SUSPICIOUS, p_fake=0.8), events=())
    assert until(lambda: "SUSPICIOUS" in file.getvalue())
    time.sleep(0.3)
    dashboard.close()
    assert file.getvalue().count("SUSPICIOUS") == 2  # as news, and in the summary


def test_plain_lines_come_in_the_order_of_their_time() -> None:
    file = io.StringIO()
    screen = PlainScreen(file)
    alert = view(channel(), elapsed_s=15.4, events=())
    screen.show(view(clear("caller"), elapsed_s=10.0, events=()), 0.0)
    screen.show(alert, 10.0)  # the state is there before its events
    screen.show(replace(alert, elapsed_s=15.6, events=EVENTS[1:3]), 10.1)
    screen.show(replace(alert, elapsed_s=33.0, events=EVENTS[1:3]), 20.0)
    screen.flush()
    times = [line.split()[0] for line in file.getvalue().splitlines()]
    assert times == sorted(times)
    assert len([line for line in file.getvalue().splitlines() if "ALERT OPENED" in line]) == 1


def test_help_covers_the_screen_until_a_key() -> None:
    console, file = terminal()
    dashboard = Dashboard(view, FAST, on_quit=nothing, console=console)
    dashboard.start()
    assert until(lambda: "LIVE" in file.getvalue())
    dashboard.press("?")
    assert until(lambda: "call back on a number" in file.getvalue())
    shown_before = file.getvalue().count("likelihood synthetic")
    dashboard.press("x")
    assert until(lambda: file.getvalue().count("likelihood synthetic") > shown_before)
    dashboard.close()
    written = file.getvalue()
    assert written.index("\x1b[?1000h") < written.index("\x1b[?1000l") < written.index("\x1b[?1049l")


def test_the_mouse_is_left_alone_where_the_configuration_says_so() -> None:
    console, file = terminal()
    dashboard = Dashboard(view, FAST.model_copy(update={"mouse": False}), on_quit=nothing, console=console)
    dashboard.start()
    assert until(lambda: "LIVE" in file.getvalue())
    dashboard.close()
    assert "\x1b[?1000" not in file.getvalue()
