"""Where the keys lead: the table, its filter and order, a call, and back."""

from __future__ import annotations

from dataclasses import replace

from dashboard_views import channel, clear, view

from monitor.dashboard.navigation import Navigator
from monitor.dashboard.table_state import CallsTable
from monitor.views import CallRow, ServerStatus, View


class Calls:
    """A server of two running calls and one that has ended."""

    def __init__(self) -> None:
        rows = (CallRow("bad", "rtp", 30.0, channel("caller"), 1), CallRow("good", "rtp", 20.0, clear("caller"), 1))
        old = CallRow("old", "rtp", 60.0, clear("caller"), 1, ended=1_800_000_000.0, why="hung up")
        whole = replace(view(), call="", channels=(), alerts=1)
        self.now = ServerStatus(rows, whole, 200, 3, 1, 0, (), (old,))

    def status(self) -> ServerStatus:
        return self.now

    def call(self, name: str) -> View | None:
        return view(call=name) if any(row.call == name for row in self.now.rows) else None

    def ended_call(self, name: str) -> View | None:
        return view(call=name, finished=True) if any(row.call == name for row in self.now.past) else None


def table(navigator: Navigator) -> CallsTable:
    shown = navigator.shown()
    assert isinstance(shown, CallsTable)
    return shown


def opened(navigator: Navigator) -> View:
    shown = navigator.shown()
    assert isinstance(shown, View)
    return shown


def press(navigator: Navigator, *keys: str) -> None:
    for key in keys:
        navigator.press(key)


def test_enter_opens_the_first_call_or_the_one_under_the_cursor() -> None:
    navigator = Navigator(Calls())
    navigator.press("enter")
    table(navigator)
    navigator.press("enter")
    assert opened(navigator).call == "bad"
    assert opened(navigator).back
    press(navigator, "escape")
    assert table(navigator).state.cursor == "bad"
    press(navigator, "down", "enter")
    assert opened(navigator).call == "good"
    press(navigator, "backspace", "home")
    assert table(navigator).state.cursor == "bad"
    press(navigator, "end", "down")
    assert table(navigator).state.cursor == "good"


def test_a_filter_is_typed_and_kept_and_cleared() -> None:
    navigator = Navigator(Calls())
    table(navigator)
    press(navigator, "/", "g", "o", "x", "backspace")
    assert navigator.typing
    assert [row.call for row in table(navigator).rows] == ["good"]
    press(navigator, "enter")
    assert not navigator.typing
    press(navigator, "enter")
    assert opened(navigator).call == "good"
    press(navigator, "escape", "escape")
    assert len(table(navigator).rows) == 2


def test_sorting_goes_from_column_to_column_and_back_to_the_first_order() -> None:
    navigator = Navigator(Calls())
    seen = []
    for _ in range(5):
        navigator.press("s")
        seen.append(table(navigator).state.sorted_by)
    assert seen == ["fake", "call", "speech", "length", "state"]
    navigator.sort("call")
    assert [row.call for row in table(navigator).rows] == ["bad", "good"]
    navigator.sort("call")
    assert [row.call for row in table(navigator).rows] == ["good", "bad"]
    press(navigator, "escape")
    assert table(navigator).state.sorted_by == "state"


def test_a_call_that_ends_while_it_is_open_stays_open_as_it_was() -> None:
    calls = Calls()
    navigator = Navigator(calls)
    table(navigator)
    navigator.choose("good")
    assert table(navigator).state.cursor == "good"
    navigator.choose("good")
    assert not opened(navigator).finished
    ended = replace(calls.now.rows[1], ended=1_800_000_001.0)
    calls.now = replace(calls.now, rows=calls.now.rows[:1], past=(ended, *calls.now.past))
    assert opened(navigator).finished
    calls.now = replace(calls.now, past=())
    assert table(navigator).state.cursor == "", "it is gone"


def test_calls_that_have_ended_can_be_opened() -> None:
    navigator = Navigator(Calls())
    table(navigator)
    navigator.press("h")
    assert [row.call for row in table(navigator).rows] == ["old"]
    navigator.press("enter")
    assert opened(navigator).finished
    press(navigator, "escape", "H")
    assert len(table(navigator).rows) == 2


def test_a_paused_screen_keeps_its_calls_while_the_cursor_moves() -> None:
    calls = Calls()
    navigator = Navigator(calls)
    table(navigator)
    calls.now = replace(calls.now, rows=())
    navigator.press("down")
    shown = navigator.shown(frozen=True)
    assert isinstance(shown, CallsTable)
    assert [row.call for row in shown.rows] == ["bad", "good"]
    assert shown.state.cursor == "bad"


def test_a_single_call_has_no_table() -> None:
    navigator = Navigator(view)
    press(navigator, "/", "h", "enter", "s")
    assert not navigator.typing
    assert opened(navigator).call == "call-7"
    assert navigator.alerts() == 1
