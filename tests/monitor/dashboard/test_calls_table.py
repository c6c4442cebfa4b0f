"""The table of calls: its rows, its order, its cursor, at every size."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from dashboard_views import alert_event, broken, channel, clear, silent, view
from rich.console import Console

from monitor.dashboard.calls_table import board_line, board_summary, render_board
from monitor.dashboard.plain import News, board_words
from monitor.dashboard.render import KeyState
from monitor.views import Board, CallRow


def board(*rows: CallRow, **changes: object) -> Board:
    whole = replace(view(), call="", source="", channels=(), alerts=1, events=(alert_event("opened", 15.3, 3),))
    made = Board(rows, whole, "", 200, len(rows) + 2, 2, 0, ("rtp 127.0.0.1:5004",))
    return replace(made, **changes)  # type: ignore[arg-type]


def some(count: int) -> Board:
    kinds = (channel, clear, silent, broken)
    return board(*(CallRow(f"call-{n}", "rtp", 30.0 + n, kinds[n % 4]("caller"), 1 + n % 2) for n in range(count)))


def drawn(shown: Board, width: int = 120, height: int = 40, keys: KeyState | None = None) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, color_system=None)
    console.print(render_board(shown, width, height, keys or KeyState()), end="", crop=False)
    return file.getvalue().split("\n")


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
        lines = drawn(replace(some(60), cursor=f"call-{number}"), 80, 24)
        marked = [line for line in lines if line.startswith("▸")]
        assert len(marked) == 1, number
        assert f"call-{number} " in marked[0]
        assert any("more" in line for line in lines)


def test_alerts_name_their_call() -> None:
    assert any("alert opened" in line and "call-7 caller" in line for line in drawn(some(2)))


def test_names_from_outside_cannot_control_the_terminal() -> None:
    row = CallRow("evil\x1b[2J", "rtp", 1.0, channel("x\x07"), 2)
    assert not any("\x1b" in line or "\x07" in line for line in drawn(board(row)))


def test_words_for_terminals_that_cannot_draw() -> None:
    shown = replace(some(4), refused=3)
    assert board_words(shown).startswith("4 calls, 1 with an alert, 0 suspicious; 2 ended, 3 refused")
    assert board_summary(shown) == ["6 calls, 3 refused: 1 alert"]
    assert "4 calls" in "".join(segment.text for segment in board_line(shown, 100))
    assert [line for line in News().lines(shown) if "ALERT OPENED" in line and "call-7: caller" in line]
