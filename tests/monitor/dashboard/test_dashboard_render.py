"""What stands on the screen, and that it fits."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dashboard_views import EVENTS, FAULT, NAN, alert_event, broken, channel, clear, silent, view
from rich.cells import cell_len
from rich.console import Console

from monitor.dashboard import export_svg, line, palette, plain_line, render, summary_lines, widgets, words
from monitor.dashboard.alert_list import alert_rows
from monitor.dashboard.canvas import cells, clean, cut, fit, piece, squeezed, wrapped
from monitor.types import Event, Reason, State
from monitor.views import View

ESCAPE = "\x1b"
LONG = "a name that is long enough to be cut anywhere 呼び出し"


def drawn(view: View, width: int = 120, height: int = 40, **options: bool) -> list[str]:
    """The screen as rich writes it, without styles."""
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    console.print(render(view, width, height, **options), end="", crop=False)
    return file.getvalue().split("\n")


def text(view: View, width: int = 120, height: int = 40, **options: bool) -> str:
    return "\n".join(drawn(view, width, height, **options))


def crowd(count: int) -> View:
    kinds = (channel, clear, silent, broken)
    return view(*(kinds[n % 4](f"{n} {LONG}") for n in range(count)), call=LONG, source=LONG, model=LONG)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 13])
def test_every_size_is_filled_exactly(count: int) -> None:
    sight = crowd(count)
    for width in (1, 7, *range(20, 201, 12)):
        for height in (1, 2, *range(4, 61, 3), 24, 40):
            lines = drawn(sight, width, height)
            assert len(lines) == height
            assert {cell_len(row) for row in lines} == {width}, (width, height)


def test_the_bandwidth_is_named_once_it_is_known_and_where_there_is_room() -> None:
    known = view(channel(bandwidth="telephone"))
    assert "telephone" in text(known)
    assert "telephone" in text(known, 80, 24)
    assert "audio speech, telephone" in text(known, 60, 30)
    assert "telephone" not in text(known, 20, 24)
    assert "unknown" not in text(view(channel(bandwidth="unknown")))
    assert "telephone" not in text(view(channel(bandwidth="telephone", reason=Reason.SILENCE)))


def test_colours_do_not_change_the_words_or_the_size() -> None:
    sight = view(channel(), silent())
    frame = render(sight, 120, 40, colour=False)
    assert {cells(row) for row in frame.rows} == {120}
    words_in_colour = re.findall(r"[A-Za-z0-9.]+", text(sight))
    assert re.findall(r"[A-Za-z0-9.]+", text(sight, colour=False)) == words_in_colour


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 30), (40, 8)])
@pytest.mark.parametrize("state", list(State))
def test_the_state_is_a_word(state: State, size: tuple[int, int]) -> None:
    assert state.value.upper() in text(view(channel(state=state)), *size)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_content_of_both_common_sizes(size: tuple[int, int]) -> None:
    screen = text(view(channel(), silent()), *size)
    for expected in (
        "likelihood synthetic 97%",
        "listening 0.8 / 2.0 s",
        "audio DTMF",
        "alert since 00:15",
        "alert opened",
        "dBFS",
        "gan-vocoder 62%",
        "p50 21 ms  p99 39 ms",
        "tcp://127.0.0.1:5556",
        "journal: writing",
        "call-7",
        "USB Audio",
        "LIVE 00:30",
        "q quit",
        "p pause",
        "m mute the bell",
    ):
        assert expected in screen, expected


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (100, 6)])
def test_a_fault_is_shown_with_its_reason(size: tuple[int, int]) -> None:
    assert f"! {FAULT}" in text(view(broken()), *size)


def test_nothing_heard_is_two_dashes_and_no_number() -> None:
    screen = text(view(silent()))
    assert "likelihood synthetic --" in screen
    assert "evidence --" in screen
    assert "nan" not in screen


def test_a_likelihood_is_never_certain() -> None:
    assert words.percent(0.9996) == ">99%"
    assert words.percent(0.004) == "<1%"
    assert words.percent(0.5) == "50%"
    assert words.percent(NAN) == "--"


def test_paused_and_muted_are_said() -> None:
    screen = text(view(), paused=True, muted=True)
    assert "PAUSED" in screen
    assert "bell muted" in screen
    assert "p resume" in screen
    assert "PAUSED" not in text(view())
    assert "2 new alerts" in "".join(
        segment.text for segment in render(view(), 120, 40, paused=True, missed=2).rows[-1]
    )


def test_replay_and_end_are_said() -> None:
    assert "REPLAY 00:30 / 01:15" in text(view(live=False, total_s=75.0))
    assert "FINISHED" in text(view(finished=True))


def test_an_updated_alert_keeps_one_row() -> None:
    screen = text(view())
    assert screen.count("alert updated") == 1
    assert "00:25.3 alert updated" in screen
    closed = (*EVENTS, alert_event("closed", 28.0, 6))
    assert "00:28.0 alert closed" in text(view(events=closed))
    assert "no alert so far" in text(view(events=()))


@pytest.mark.parametrize("state", [State.ALERT, State.CLEAR])
def test_an_alert_that_closes_has_the_colour_of_the_state_that_is_left(state: State) -> None:
    closed = alert_event("closed", 28.0, 6)
    closed = replace(closed, data={**closed.data, "state": state.value})
    rows = alert_rows([closed], 80, 1)
    assert next(style for text, style, _ in rows[0] if "alert closed" in text) == palette.TONE[state]


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_unknown_is_no_bar_among_the_families(size: tuple[int, int]) -> None:
    families = (("unknown", 0.61), ("gan-vocoder", 0.15), ("diffusion-vocoder", 0.1))
    rows = drawn(view(channel(families=families)), *size)
    assert any("61%" in row and "none" in row for row in rows)
    assert not any("unknown" in row for row in rows)


def test_alerts_are_not_pushed_out_by_other_events() -> None:
    chatter = tuple(
        Event("health", "call-7", "", n * 16_000, {"code": "moved", "detail": "x", "usable": True}, 10 + n)
        for n in range(20, 30)
    )
    assert "alert opened" in text(view(events=EVENTS + chatter), 80, 24)


def test_the_gravest_channels_stay_when_there_is_no_room() -> None:
    many = [clear(f"calm {n}") for n in range(30)]
    screen = text(view(*many[:20], channel("grave"), *many[20:]), 80, 24)
    assert "grave" in screen
    assert "more, none worse" in screen


def test_names_from_outside_cannot_control_the_terminal() -> None:
    evil = f"{ESCAPE}[2Jcall\x07\n\u202e\udcff"
    sight = view(channel(evil), broken(fault=evil), call=evil, source=evil, model=evil, health=(evil,))
    for size in ((120, 40), (80, 24), (40, 8)):
        lines = drawn(sight, *size)
        assert len(lines) == size[1]
        assert not {ESCAPE, "\x07", "\u202e", "\udcff"} & set("".join(lines))
    assert clean("plain") == "plain"
    assert all(row.isprintable() for row in [plain_line(sight), *summary_lines(sight)])


def test_squeezing_keeps_both_ends() -> None:
    assert squeezed("rtp-5004-192.0.2.1-40000-0badcafe · callee", 24) == "rtp-5004…adcafe · callee"
    assert squeezed("short", 24) == "short"
    for width in range(30):
        assert cells([piece(squeezed("呼び出し中の電話番号です", width))]) <= width


def test_cutting_and_wrapping() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert cut("呼び出し", 5) == "呼び…"
    assert cut("abc", 0) == ""
    assert "".join(s.text for s in fit(fit([], 0), 3)) == "   "
    assert wrapped("one two three four", 8, 2) == ["one two", "three f…"]
    assert wrapped("", 8, 2) == []


def test_the_timeline_shows_height_thresholds_and_gaps() -> None:
    values = np.array([NAN, 0.0, 0.5, 0.8, 1.0], dtype=np.float32)
    rows = ["".join(s.text for s in row) for row in widgets.timeline(values, 0.73, 0.92, 6, 4)]
    assert rows == ["┄┄┄┄▂█", "┄┄┄┄┄┄", "   ███", "··▁███"]


def test_spectrogram_cells_keep_their_columns_while_they_scroll() -> None:
    rng = np.random.default_rng(3)
    bands = rng.uniform(-80.0, -20.0, (400, 24)).astype(np.float32)
    step = widgets.columns_a_cell(50)
    assert step == 5

    def cells_after(count: int) -> list[str]:
        rows = widgets.spectrogram(bands[:count], count, 50, 6, False)
        return ["".join(s.text for s in row) for row in rows]

    before, after = cells_after(300), cells_after(300 + step)
    assert [row[1:] for row in before] == [row[:-1] for row in after]
    part = cells_after(302)
    assert [row[1:] for row in before] == [row[:-1] for row in part]


def test_a_loud_band_stands_at_its_height() -> None:
    bands = np.full((256, 24), -100.0, dtype=np.float32)
    bands[:, 23] = -10.0
    rows = ["".join(s.text for s in row) for row in widgets.spectrogram(bands, 256, 64, 6, False)]
    assert rows == ["█" * 64, *([" " * 64] * 5)]


def test_one_line_for_a_whole_call() -> None:
    row = line(view(), 100)
    assert cells(row) == 100
    result = "".join(segment.text for segment in row)
    assert "ALERT  97% caller" in result
    assert "CLEAR  3% agent" in result
    assert "PAUSED" in "".join(segment.text for segment in line(view(), 100, paused=True))


def test_plain_lines() -> None:
    assert plain_line(view(), EVENTS[2]) == ("00:15.3 caller: ALERT OPENED, likelihood synthetic 97% (because)")
    assert plain_line(view(), EVENTS[1]) == "00:15.3 caller: clear -> ALERT (evidence)"
    standing = plain_line(view(channel(), silent(), broken()))
    assert "caller: ALERT, likelihood synthetic 97%, net speech 14.2 s, audio: speech" in standing
    assert "guest: listening 0.8 / 2.0 s, audio: DTMF" in standing
    assert f"line 4: UNKNOWN, net speech 0.8 s, no trust in the input: {FAULT}" in standing


def test_summary() -> None:
    lines = summary_lines(view(total_s=75.0))
    assert lines == [
        "call-7 (microphone: USB Audio): 00:30 of 01:15 of audio",
        "  caller: ALERT, likelihood synthetic 97%, net speech 14.2 s, 1 alert, open since 00:15.3",
        "  agent: CLEAR, likelihood synthetic 3%, net speech 14.2 s, no alert",
    ]


def test_every_reason_is_shown() -> None:
    for reason in Reason:
        assert f"audio {reason.value}" in text(view(clear(reason=reason)), 80, 24)


def test_export_writes_a_picture_with_the_words_in_it(tmp_path: Path) -> None:
    path = tmp_path / "screen.svg"
    export_svg(view(), path)
    svg = path.read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "Deepfake speech monitor: call-7" in svg.replace("&#160;", " ")
    assert "ALERT" in svg
