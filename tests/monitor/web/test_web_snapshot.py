"""What the page is given: numbers that JSON knows, and never more than is bounded."""

from __future__ import annotations

import json
from dataclasses import replace

import dashboard_views as views
import numpy as np
import pytest

from monitor.views import CallRow, ChannelView, ServerStatus
from monitor.web.broadcast import MOST_SEEN, SnapshotRequest, read_request
from monitor.web.snapshot import MOST_EVENTS, MOST_ROWS, details, lines, table


def row(name: str, channel: ChannelView, channels: int = 1) -> CallRow:
    return CallRow(name, "rtp", 31.9, channel, channels)


def status(*rows: CallRow) -> ServerStatus:
    taps = ("rtp 127.0.0.1:5004", "web 127.0.0.1:8000")
    return ServerStatus(rows, views.view(call=""), 200, 5, 1, 2, taps, shards=views.SHARDS)


def test_a_table_survives_json_whatever_is_unknown() -> None:
    rows = row("one", views.channel(), 2), row("two", views.silent()), row("three", views.broken())
    seen = json.loads(json.dumps(table(status(*rows)), allow_nan=False))
    first, second, third = seen["calls"]
    assert first["p"] == 0.9712
    assert (first["state"], first["party"], first["family"], first["elapsed_s"]) == (
        "alert",
        "caller",
        "gan-vocoder",
        31,
    )
    assert (second["p"], second["family"], second["family_p"], second["party"]) == (None, "", None, "")
    assert (third["fault"], third["lost_s"]) == (views.FAULT, 3.2)
    assert seen["states"] == {"alert": 1, "listening": 1, "unknown": 1}
    assert seen["taps"] == ["rtp 127.0.0.1:5004", "web 127.0.0.1:8000"]
    assert [(shard["name"], shard["state"], shard["busy"]) for shard in seen["shards"]] == [
        ("shard-1", "up", 0.34),
        ("shard-2", "starting", 0.0),
    ]
    assert (seen["max_calls"], seen["started"], seen["ended"], seen["refused"]) == (200, 5, 1, 2)


def test_a_call_has_a_name_for_people_beside_its_id() -> None:
    named = replace(row("rtp-1", views.clear()), name="+4930 → +4940", started=1_700_000_000.04)
    (seen,) = table(status(named))["calls"]  # type: ignore[misc]
    assert (seen["call"], seen["name"], seen["started"]) == ("rtp-1", "+4930 → +4940", 1_700_000_000.0)
    assert details(views.view(name="+4930 → +4940"))["name"] == "+4930 → +4940"
    assert table(status(row("two", views.clear())))["calls"][0]["name"] == "two"  # type: ignore[index]


def test_latencies_of_nothing_are_null() -> None:
    whole = replace(status(), whole=views.view(latency_p50_ms=views.NAN, latency_p99_ms=views.NAN))
    assert table(whole)["latency_p50_ms"] is None


def test_a_thousand_calls_are_counted_and_the_gravest_told() -> None:
    many = status(*(row(f"call-{i}", views.clear()) for i in range(1000)))
    seen = table(many)
    assert seen["count"] == 1000
    assert [call["call"] for call in seen["calls"]] == [f"call-{i}" for i in range(MOST_ROWS)]  # type: ignore[attr-defined,index]


def test_timelines_go_to_those_who_see_them() -> None:
    channel = replace(views.channel(), timeline=np.array([views.NAN, 0.004, 0.5, 1.0], np.float32))
    found = lines(status(row("one", channel), row("two", channel)), frozenset({"two", "gone"}))
    assert found == {"two": {"step_s": 0.5, "points": [-1, 0, 50, 100]}}


def test_a_row_looks_back_a_minute_and_an_open_call_on_all_of_it() -> None:
    channel = replace(views.channel(), timeline=np.full(480, 0.25, np.float32))
    assert len(lines(status(row("one", channel)), frozenset({"one"}))["one"]["points"]) == 120  # type: ignore[arg-type]
    (opened,) = details(views.view(channel))["channels"]  # type: ignore[misc]
    assert len(opened["line"]["points"]) == 480


def test_an_open_call_names_its_bandwidth() -> None:
    (opened,) = details(views.view(views.channel(bandwidth="telephone")))["channels"]  # type: ignore[misc]
    assert opened["bandwidth"] == "telephone"


def test_an_open_call_says_all_of_its_channels() -> None:
    seen = json.loads(json.dumps(details(views.view(views.channel(), views.silent())), allow_nan=False))
    alert, silent = seen["channels"]
    assert (alert["name"], alert["llr"], alert["alert_since_s"], alert["alerts"]) == ("caller", 3.52, 15.3, 1)
    assert alert["families"][0] == ["gan-vocoder", 0.62]
    assert (silent["level"], silent["llr"], silent["families"]) == (None, None, [])
    assert seen["model"] == "3f2a9c01b7e4"


def test_events_come_newest_first_and_not_without_end() -> None:
    seen = details(views.view(events=views.EVENTS * 30))["events"]
    assert len(seen) == MOST_EVENTS  # type: ignore[arg-type]
    first, *_, last = table(status())["events"]  # type: ignore[misc]
    assert (first["type"], first["call"], first["at_s"], first["p"]) == ("alert.updated", "call-7", 25.3, 0.9712)
    assert (last["type"], last["p"]) == ("call.started", None)


def test_a_wish() -> None:
    assert read_request('{"open": "a", "seen": ["b", "c", 7]}') == SnapshotRequest("a", frozenset({"b", "c"}))
    assert read_request("{}") == SnapshotRequest()


@pytest.mark.parametrize(
    "text", ["", "[]", "7", '{"open": 7}', '{"seen": {}}', json.dumps({"seen": ["x"] * (MOST_SEEN + 1)})]
)
def test_what_is_no_wish(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of json, too
        read_request(text)
