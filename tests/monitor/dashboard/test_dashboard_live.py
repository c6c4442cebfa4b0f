"""The drawing thread and the plain lines, and what keys do to them."""

from __future__ import annotations

import io
import re
import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from dashboard_views import EVENTS, FAULT, alert_event, broken, channel, clear, view
from rich.console import Console
from terminals import Terminal, terminal, until

from monitor.config.schema import DashboardSection
from monitor.dashboard import Dashboard
from monitor.dashboard.plain import PlainScreen
from monitor.dashboard.screen_thread import resolve_mode
from monitor.types import Event, State
from monitor.views import View

pytestmark = pytest.mark.realtime

FAST = DashboardSection(mode="full", redraws_per_second=10.0)
BELL = "\x07"


def shown(file: io.StringIO) -> str:
    """What was written, without escape codes."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())


def nothing() -> None:
    """For keys that nobody presses."""


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
