"""The table of calls: its rows, its order, its cursor, at every size."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from dashboard_views import SHARDS, alert_event, broken, channel, clear, silent, view
from rich.console import Console

from monitor.dashboard.calls_table import render_calls, status_line, status_summary
from monitor.dashboard.canvas import ScreenFrame
from monitor.dashboard.plain import EventLines, status_words
from monitor.dashboard.render import KeyState
from monitor.dashboard.table_state import TableState, arranged
from monitor.views import CallRow, ServerStatus


def status(*rows: CallRow, **changes: object) -> ServerStatus:
    whole = replace(view(), call="", source="", channels=(), alerts=1, events=(alert_event("opened", 15.3, 3),))
    made = ServerStatus(rows, whole, 200, len(rows) + 2, 2, 0, ("rtp 127.0.0.1:5004",))
    return replace(made, **changes)  # type: ignore[arg-type]


def some(count: int) -> ServerStatus:
    kinds = (channel, clear, silent, broken)
    return status(*(CallRow(f"call-{n}", "rtp", 30.0 + n, kinds[n % 4]("caller"), 1 + n % 2) for n in range(count)))


def frame(shown: ServerStatus, width: int, height: int, keys: KeyState | None = None, **state: object) -> ScreenFrame:
    table = arranged(shown, TableState(**state))  # type: ignore[arg-type]
    return render_calls(table, width, height, keys or KeyState())


def drawn(
    shown: ServerStatus, width: int = 120, height: int = 40, keys: KeyState | None = None, **state: object
) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, color_system=None)
    console.print(frame(shown, width, height, keys, **state), end="", crop=False)
    return file.getvalue().split("\n")


def past(*alerts: int) -> tuple[CallRow, ...]:
    """Calls that ended one second after the other, the newest first, with so many alerts."""
    return tuple(
        CallRow(
            f"old-{n}", "rtp", 60.0, clear("caller"), 1, alerts=count, ended=1_800_000_000.0 - n, why="the peer hung up"
        )
        for n, count in enumerate(alerts)
    )


@pytest.mark.parametrize("count", [0, 1, 5, 60])
def test_every_size_is_filled_exactly(count: int) -> None:
    for width, height in [(120, 40), (80, 24), (100, 30), (60, 12), (40, 8), (200, 60), (24, 5), (10, 2)]:
        lines = drawn(some(count), width, height)
        assert [len(line) for line in lines] == [width] * height, (width, height)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_a_row_says_what_matters(size: tuple[int, int]) -> None:
    text = "\n".join(drawn(some(4), *size))
    for word in ("ALERT", "97%", "CLEAR", "LISTENING", "UNKNOWN", "call-0", "call-1 · caller", "4 of 200 calls", "rtp"):
        assert word in text
    assert "no trust" in text or "!" in text


def test_an_empty_table_says_that_it_listens() -> None:
    assert any("no calls yet" in line for line in drawn(some(0)))


def test_the_cursor_is_always_to_be_seen() -> None:
    for number in (0, 20, 59):
        lines = drawn(some(60), 80, 24, cursor=f"call-{number}")
        marked = [line for line in lines if line.startswith("▸")]
        assert len(marked) == 1, number
        assert f"call-{number} " in marked[0]
        assert any("more" in line for line in lines)


def names(shown: ServerStatus, **state: object) -> list[str]:
    return [row.call for row in arranged(shown, TableState(**state)).rows]  # type: ignore[arg-type]


def test_the_table_is_sorted_by_a_column() -> None:
    four = some(4)
    assert names(four) == ["call-0", "call-1", "call-2", "call-3"], "as they come"
    assert names(four, column="state") == ["call-0", "call-3", "call-1", "call-2"]
    assert names(four, column="fake")[:2] == ["call-0", "call-1"]
    assert names(four, column="length") == ["call-3", "call-2", "call-1", "call-0"]
    assert names(four, column="length", reverse=True) == ["call-0", "call-1", "call-2", "call-3"]
    assert "length▾" in drawn(four, column="length")[1]
    assert "length▴" in drawn(four, 80, 24, column="length", reverse=True)[1]


def test_the_filter_takes_names_and_states() -> None:
    assert names(some(4), filter_text="CALL-2") == ["call-2"]
    assert names(some(4), filter_text="alert rtp") == ["call-0"]
    assert names(some(4), filter_text="device lost") == ["call-3"]
    lines = drawn(some(4), 80, 24, filter_text="nobody")
    assert 'no call matches "nobody"; esc shows all' in lines[2]
    assert "0 match" in lines[0]
    assert drawn(some(4), 80, 24, filter_text="ab", typing=True)[-1].startswith("/ab▏")


def test_calls_that_have_ended_are_listed_with_their_outcome() -> None:
    shown = status(past=past(0, 2))
    assert "h shows those that have ended" in drawn(shown, 80, 24)[2]
    lines = drawn(shown, 120, 40, past=True)
    assert "2 of 2 ended calls" in lines[0]
    assert "CLEAR" in lines[2]
    assert "2 ALERTS" in lines[3]
    assert "the peer hung up" in lines[3]
    assert names(shown, past=True) == ["old-0", "old-1"]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("ended", [False, True])
def test_nothing_is_cut_in_the_header_and_the_keys(width: int, ended: bool) -> None:
    taps = ("rtp 0.0.0.0:5004", "audiosocket 0.0.0.0:9092", "websocket 0.0.0.0:8765 (wss)", "web http://127.0.0.1:8000")
    shown = status(*some(3).rows, taps=taps, started=12_345, ended=12_342, refused=1_234, past=past(1))
    lines = drawn(shown, width, 24, past=ended)
    for line in (lines[0], lines[1], lines[-1]):
        assert "…" not in line
    assert "? help" in lines[-1]
    assert "4 taps" in lines[0] or taps[3] in lines[0]


def test_the_header_names_the_shards_of_a_cluster() -> None:
    shown = status(*some(3).rows, shards=SHARDS)
    assert "shard-1 34%  shard-2 starting" in drawn(shown, 160, 24)[0]
    assert "1 tap  1 of 2 shards" in drawn(shown, 80, 24)[0]


def test_a_click_finds_the_call_or_the_column_under_it() -> None:
    screen = frame(some(4), 80, 24)
    row = screen.clicked(10, 3)
    assert row is not None
    assert (row.action, row.value) == ("call", "call-1")
    title = "".join(segment.text for segment in screen.rows[1])
    head = screen.clicked(title.index("speech"), 1)
    assert head is not None
    assert (head.action, head.value) == ("sort", "speech")
    assert screen.clicked(10, 12) is None


def test_alerts_name_their_call() -> None:
    assert any("alert opened" in line and "call-7 caller" in line for line in drawn(some(2)))
    named = CallRow("call-7", "rtp", 30.0, clear("caller"), 1, name="Ann to Bob")
    assert any("alert opened  Ann to Bob caller" in line for line in drawn(status(named)))


def test_names_from_outside_cannot_control_the_terminal() -> None:
    row = CallRow("evil\x1b[2J", "rtp", 1.0, channel("x\x07"), 2)
    assert not any("\x1b" in line or "\x07" in line for line in drawn(status(row)))


def test_words_for_terminals_that_cannot_draw() -> None:
    shown = replace(some(4), refused=3)
    assert status_words(shown).startswith("4 calls, 1 with an alert, 0 suspicious; 2 ended, 3 refused")
    assert status_summary(shown) == ["6 calls, 3 refused: 1 alert"]
    assert "4 calls" in "".join(segment.text for segment in status_line(shown, 100))
    assert [n for n in EventLines().lines(shown) if "ALERT OPENED" in n.text and "call-7: caller" in n.text]
