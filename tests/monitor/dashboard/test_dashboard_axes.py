"""Ticks of the charts, and the help screen."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from dashboard_views import channel, clear, view
from rich.cells import cell_len
from rich.console import Console

from monitor.advice import AT_AN_ALERT, STATES
from monitor.dashboard import render, words
from monitor.dashboard.axes import kilohertz_labels, time_axis
from monitor.dashboard.canvas import ScreenFrame
from monitor.dashboard.help import help_pages, render_help
from monitor.types import State


def text(frame: ScreenFrame, width: int, height: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, height=height, color_system=None).print(frame, end="", crop=False)
    return file.getvalue()


def test_ticks_stand_at_round_times() -> None:
    row = "".join(segment.text for segment in time_axis(30.0, 0.5, 60))
    assert len(row) == 60
    assert row.index("╵00:10") == 20
    assert row.index("╵00:20") == 40
    assert "╵00:30" not in row, "there is no room for it at the edge"
    hours = "".join(segment.text for segment in time_axis(5000.0, 60.0, 60))
    assert "╵1:00:00" in hours
    assert "".join(segment.text for segment in time_axis(0.0, 0.5, 20)).strip() == ""


@pytest.mark.parametrize("rows", [2, 4, 7, 13])
def test_frequencies_stand_at_their_height(rows: int) -> None:
    labels = kilohertz_labels(rows)
    assert labels[0] == "8"
    values = [float(labels[row]) for row in sorted(labels)]
    assert values == sorted(values, reverse=True)
    assert all(0 <= row < rows for row in labels)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_the_charts_of_two_channels_have_one_time_axis(size: tuple[int, int]) -> None:
    late = replace(clear("agent"), timeline=channel().timeline[:40], scored_s=20.0)
    rows = text(render(view(replace(channel(), scored_s=30.0), late), *size), *size).split("\n")
    ticks = [row.split("╵", 1)[0] for row in rows if "╵00:" in row]
    assert len(ticks) == 2
    assert len(ticks[0]) == len(ticks[1])


def test_a_channel_that_lags_ends_before_the_right_edge() -> None:
    full = np.full(60, 0.9, np.float32)
    on_time = replace(channel(timeline=full), scored_s=30.0)
    rows = text(render(view(replace(on_time, timeline=full[:40], scored_s=20.0)), 120, 40), 120, 40).split("\n")
    chart = next(row for row in rows if row.startswith("│   0% "))
    last = chart.rstrip("│ ")
    assert last.endswith("·"), "of the last 10 s nothing is known"
    whole = text(render(view(on_time), 120, 40), 120, 40).split("\n")
    assert next(row for row in whole if row.startswith("│   0% ")).rstrip("│ ").endswith("█")


def test_a_slow_replay_says_so_in_the_header() -> None:
    slow = view(live=False, speed=0.42, total_s=75.0)
    assert "0.4 x real time" in text(render(slow, 80, 24), 80, 24).split("\n")[0]
    assert "real time" not in text(render(replace(slow, speed=1.0), 80, 24), 80, 24).split("\n")[0]


def test_an_open_alert_points_to_what_to_do() -> None:
    assert "? what to do" in text(render(view(), 80, 24), 80, 24)
    assert "? what to do" not in text(render(view(clear()), 80, 24), 80, 24)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 12), (30, 5)])
@pytest.mark.parametrize("table", [True, False])
def test_help_fills_the_screen_exactly(size: tuple[int, int], table: bool) -> None:
    for page in range(1, help_pages(*size, table) + 1):
        rows = text(render_help(*size, table, page), *size).split("\n")
        assert [cell_len(row) for row in rows] == [size[0]] * size[1]


def test_help_says_what_to_do_and_what_the_states_mean() -> None:
    whole = " ".join(text(render_help(80, 24, True, page), 80, 24) for page in range(1, help_pages(80, 24, True) + 1))
    for state in State:
        assert state.value.upper() in whole
    for key in ("show only calls with", "sort by", "have ended", "quit"):
        assert key in whole
    assert "call back on a number that you knew before" in whole
    assert set(STATES) == set(State)
    assert any("no proof" in sentence for sentence in AT_AN_ALERT)


def test_evidence_is_told_as_odds() -> None:
    assert words.evidence(3.0) == "20 to 1"
    assert words.evidence(-1.5) == "1 to 4.5"
    assert words.evidence(0.0) == "1.0 to 1"
    assert words.evidence(5.3) == "200 to 1"
    assert words.evidence(9.0) == "over 1000 to 1"
    assert words.evidence(float("nan")) == "--"
