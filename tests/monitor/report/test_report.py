"""The report: it says what the records say, no more, and needs nothing from elsewhere."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import QUICK, Run, assert_one_error, make_weights, run_here, settings, turning_call, voice, write_wav

from monitor.cli.main import run_cli
from monitor.events import wire
from monitor.report.call_records import CallRecord, CallRecords
from monitor.report.charts import ticks
from monitor.report.collect import VerifiedSource
from monitor.report.curve import MOST_STEPS, Curve
from monitor.report.figure_words import clock, moment, odds, readable_name, share
from monitor.report.page import MOST_CALLS, page
from monitor.report.rules import explained, rules
from monitor.report.segment_table import as_csv, segments
from monitor.types import Event

NASTY = '<script>alert("x")</script>&'


class Page(HTMLParser):
    """The elements of a page, what they refer to, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if "style" not in self.tags[-1:]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def assert_self_contained(text: str) -> Page:
    found = Page(text)
    assert not {"script", "iframe", "object", "embed", "form", "base"} & set(found.tags)
    assert not found.handlers
    assert all(link.startswith(("#call-", "data:image/png;base64,")) for link in found.links)
    assert "url(" not in text
    assert "@import" not in text
    return found


def call_events(name: str, *, alert: bool = True, channel: str = "caller", **details: str) -> list[Event]:
    """A call of ten seconds whose voice is synthetic from 4 to 7 s."""
    figures = {
        "net_speech_s": 3.0,
        "warm": True,
        "reason": "speech",
        "state": "clear",
        "families": {"gan-vocoder": 0.7},
    }
    events = [
        Event("call.started", name, "", 0, {"channels": [channel], "source": "test", "prior": 0.5, "details": details})
    ]
    for tenth in range(100):
        p = 0.98 if alert and 40 <= tenth < 70 else 0.02
        events.append(Event("score", name, channel, tenth * 1600, figures | {"p_fake": p, "llr": np.log(p / (1 - p))}))
    opened = figures | {
        "alert": f"{name}/{channel}/1",
        "opened_s": 4.5,
        "p_fake": 0.98,
        "llr": 3.9,
        "peak_llr": 3.9,
        "why": "x",
    }
    if alert:
        events.append(Event("alert.opened", name, channel, 72_000, opened))
        events.append(Event("alert.closed", name, channel, 120_000, opened))
    last = {channel: figures | {"p_fake": 0.3, "llr": -0.8, "alerts": int(alert)}}
    events.append(Event("call.ended", name, "", 160_000, {"why": "end of audio", "lost_s": 0.5, "channels": last}))
    return events


def records_of(*calls: Sequence[Event]) -> CallRecords:
    records = CallRecords()
    for events in calls:
        for event in events:
            records.add_event(event, may_repeat=False)
    return records


def made(*calls: Sequence[Event]) -> str:
    return page(records_of(*calls), [VerifiedSource("journal", "journal", "whole", True)], "made for a test")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the journal and the evidence of a call whose caller turned synthetic."""
    folder = tmp_path_factory.mktemp("replayed")
    weights = make_weights(folder / "hiss.safetensors")
    call = write_wav(folder / "call.wav", np.stack([turning_call(4, 4, 5), voice(13, seed=9)], axis=1))
    words = ["--speed", "max", "--no-publish", "--screen", "off", "--weights", weights]
    words += ["--channels", "caller=left,agent=right", "--journal", folder / "journal", "--evidence", folder / "kept"]
    assert run_cli(["replay", *map(str, (call, *words)), *settings(*QUICK, "evidence_store.before_s=3")]) == 0
    return folder


def test_a_call_that_turned_synthetic_is_reported_from_journal_and_evidence(run: Run, replayed: Path) -> None:
    ran = run("report", f"{replayed}/journal", f"{replayed}/kept", "-o", "report.html")
    assert (ran.status, ran.out, ran.err) == (0, "report.html: 1 call\n", "")
    text = Path("report.html").read_text()
    found = assert_self_contained(text)
    for result in (
        *("1 alert was raised on caller", "A likelihood is not a proof", "gan-vocoder", "the chain of"),
        *("verified, no seal", "Thresholds and settings", "an alert opens", "Segments", "What to do next"),
        "call back on a number",
    ):
        assert result in found.text, result
    assert len(re.findall("data:image/png", text)) == 2
    assert 'class="limit"' in text, "the threshold is known from the evidence"
    assert "alerts.alert_llr" not in found.text, "settings are named by what they mean"
    assert "audio" not in found.tags


def test_audio_and_a_table_of_segments_are_written_on_request(run: Run, replayed: Path) -> None:
    words = ("-o", "audio.html", "--with-audio", "--csv", "parts.csv")
    ran = run("report", f"{replayed}/journal", f"{replayed}/kept", *words)
    assert (ran.status, ran.err) == (0, "")
    text = Path("audio.html").read_text()
    assert Page(text).tags.count("audio") == 2
    clip = base64.b64decode(re.findall(r"data:audio/flac;base64,([A-Za-z0-9+/=]+)", text)[0])
    samples, rate = soundfile.read(io.BytesIO(clip))
    assert rate == 16_000
    assert len(samples) > 3 * rate
    rows = list(csv.DictReader(io.StringIO(Path("parts.csv").read_text())))
    assert {row["side"] for row in rows} == {"caller", "agent"}
    assert "alert" in {row["state"] for row in rows if row["side"] == "caller"}
    ends = [float(row["end_s"]) for row in rows if row["side"] == "caller"]
    assert ends == sorted(ends)


def test_evidence_that_was_changed_is_named(run: Run, replayed: Path) -> None:
    shutil.copytree(replayed / "kept", "kept")
    (folder,) = Path("kept").iterdir()
    (folder / "README.txt").write_text("changed")
    ran = run("report", "kept", "-o", "report.html")
    assert ran.out == f"report.html: 1 call\nnote: kept/{folder.name}: README.txt was changed\n"
    found = assert_self_contained(Path("report.html").read_text())
    assert "1 alert was raised on caller" in found.text
    assert found.text.count("README.txt was changed") == 2


def test_names_from_outside_are_text_and_nothing_else() -> None:
    events = call_events(NASTY, channel=NASTY, caller=NASTY)
    events.insert(2, Event("health", NASTY, NASTY, 0, {"code": NASTY, "detail": NASTY, "usable": True}))
    found = assert_self_contained(made(events))
    assert found.text.count(NASTY) > 5
    assert_self_contained(made(events, call_events("other")))


def test_several_calls_have_an_index_the_gravest_first() -> None:
    found = Page(made(call_events("quiet", alert=False), call_events("grave")))
    assert [link for link in found.links if link.startswith("#")] == ["#call-1", "#call-2"]
    assert found.text.index("grave") < found.text.index("quiet")
    assert "No alert was raised. That does not prove the voices real." in found.text


def test_of_very_many_calls_the_gravest_are_told_and_all_are_listed() -> None:
    calls = [call_events(f"call{n}", alert=n == 7) for n in range(MOST_CALLS + 5)]
    found = Page(made(*calls))
    assert len([link for link in found.links if link.startswith("#")]) == MOST_CALLS
    assert f"The {MOST_CALLS} most suspicious are shown below" in found.text


def test_alerts_have_the_same_numbers_in_the_curves_as_below_them() -> None:
    """Counted over both sides of the call, in the order of time."""
    opened = {"opened_s": 2.0, "p_fake": 0.98, "llr": 3.9, "peak_llr": 3.9, "why": "x"}
    starts, *events = call_events("call")
    others = [
        Event("alert.opened", "call", "agent", at, opened | {"alert": f"call/agent/{n}", "opened_s": at / 16_000})
        for n, at in enumerate((32_000, 33_000, 140_000), 1)
    ]
    found = Page(made([starts, *sorted([*events[:-1], *others], key=lambda e: e.sample), events[-1]]))
    flags = [text for text in found.texts if re.fullmatch(r"alert \d", text)]
    assert flags == ["alert 3", "alert 1", "alert 4"]  # of the caller; of the agent, where 2 has no room beside 1
    headings = [text.split(",")[0] for text in found.texts if text.startswith("Alert ")]
    assert headings == ["Alert 1: agent", "Alert 2: agent", "Alert 3: caller", "Alert 4: agent"]


def test_a_record_that_begins_or_ends_within_a_call_says_so() -> None:
    events = call_events("call")[1:-2]
    found = Page(made(events))
    assert "before this record" in found.text
    assert "ends before the call does" in found.text
    assert "not closed in this record" in found.text


def test_an_event_that_two_files_tell_is_told_once() -> None:
    records = CallRecords()
    event = Event("health", "call", "", 0, {"code": "x", "detail": ""}, seq=3, epoch="e")
    records.add_event(event, may_repeat=True)
    records.add_event(event, may_repeat=True)
    assert len(next(iter(records.calls.values())).health) == 1


def test_bad_input_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    journal = tmp_path / "journal"
    assert_one_error(run_here(capfd, "report", journal), "there is no journal")
    journal.write_bytes(b"no event\n\xff\xfe\n[1]\n")
    assert_one_error(run_here(capfd, "report", journal), "there is no call in")
    journal.write_bytes(b"".join(wire.encode(e) + b"\n" for e in call_events("one")))
    assert_one_error(run_here(capfd, "report", journal, "--call", "two"), "there is no call two in")
    assert_one_error(run_here(capfd, "report", journal, "-o", tmp_path / "none" / "x.html"), "cannot be written")
    ran = run_here(capfd, "report", journal, "-o", tmp_path / "x.html")
    assert ran.status == 0
    assert "note: " in ran.out, "no line of it has a seal"


def test_a_curve_of_a_long_call_keeps_its_peak_in_few_steps() -> None:
    curve = Curve()
    for second in range(100_000):
        curve.add(float(second), 0.9 if second == 77_777 else 0.1, second % 2 == 0)
    assert len(curve.peaks) <= MOST_STEPS
    peak = curve.peaks.index(0.9)
    assert peak * curve.step_s <= 77_777 < (peak + 1) * curve.step_s
    assert len(list(curve.runs())) == 1


def test_a_curve_breaks_where_nothing_was_said() -> None:
    curve = Curve()
    for at in (0.0, 0.5, 1.0, 10.0, 10.5):
        curve.add(at, 0.5, at < 5)
    assert [len(run) for run in curve.runs()] == [3, 2]
    (start, end), *more = curve.speech_stretches()
    assert (start, more) == (0.0, [])
    assert 1.0 < end < 10.1


def test_words_claim_no_more_than_was_measured() -> None:
    assert (share(0.9999), share(0.0001), share(0.5)) == ("above 99 %", "below 1 %", "50 %")
    assert odds(0.1) == "hardly speaks either way"
    assert odds(2.3026) == "about 10 to 1 for synthetic speech"
    assert odds(-8.0) == "about 3 000 to 1 for real speech"
    assert (clock(65.34), clock(3725.0), clock(59.96)) == ("1:05.3", "1:02:05.0", "1:00.0")
    assert ticks(4.7, 24.7) == [5.0, 10.0, 15.0, 20.0]


DAMAGE = (None, "x", [], {}, -1, 1e308, 10**30, 10**400, True, [["x"]], NASTY, {"x": "y"})


def test_damaged_and_forged_records_make_a_page_all_the_same(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Every field of every kind of event, and of a manifest, once with each kind of nonsense."""
    events = [json.loads(wire.encode(event)) for event in call_events("call")[::40] + call_events("call")[-3:]]
    events.append(
        json.loads(wire.encode(Event("health", "call", "", 0, {"code": "x", "detail": "y", "usable": False})))
    )
    lines = [events[0], *events[1:]]
    for value in DAMAGE:
        lines += [event | {field: value} for event in events for field in event if field != "type"]
    journal = tmp_path / "journal"
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ran = run_here(capfd, "report", journal, "-o", tmp_path / "x.html")
    assert (ran.status, ran.err) == (0, "")
    assert_self_contained((tmp_path / "x.html").read_text())

    facts = {"kind": "alert", "call": "call", "epoch": "", "alert": "call/caller/1", "sample_rate": 16000, "model": "m"}
    audio = {"channel": "caller", "picture": "p.png", "start_sample": 0, "samples": 9}
    facts |= {"versions": {"torch": "1"}, "audio": [audio]}
    for number, value in enumerate(DAMAGE):
        for field in facts:
            folder = tmp_path / "kept" / f"{number}-{field}"
            folder.mkdir(parents=True)
            (folder / "timeline.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
            (folder / "p.png").write_bytes(b"\x89PNG")
            result = facts | {field: value, "format": "monitor-evidence/1", "files": {}}
            result["audio"] = result["audio"] if field == "audio" else [audio | {"samples": value}]
            (folder / "manifest.json").write_text(json.dumps(result))
            (folder / "settings.json").write_text(json.dumps({"alerts.alert_llr": value, "evidence.prior": 0.5}))
    ran = run_here(capfd, "report", tmp_path / "kept", "-o", tmp_path / "x.html")
    assert (ran.status, ran.err) == (0, "")
    assert_self_contained((tmp_path / "x.html").read_text())


def test_settings_are_told_in_words() -> None:
    settings = {
        "alerts.alert_llr": 2.995732,
        "alerts.alert_hold_s": 1.0,
        "alerts.close_llr": 0.0,
        "alerts.close_hold_s": 5,
    }
    assert dict(rules(settings)) == {
        "an alert opens": "above 20 to 1 for one second of speech",
        "an alert closes": "below even odds for 5 s of speech",
    }
    why = "likelihood ratio above alerts.alert_llr for alerts.alert_hold_s of speech"
    assert explained(why, settings) == "likelihood ratio above 20 to 1 for one second of speech"
    assert explained(why, {}) == why
    assert explained(why, {"alerts.alert_llr": "much"}) == why


def test_segments_cover_each_side_from_its_beginning() -> None:
    events = call_events("call")
    events[60:60] = [Event("state.changed", "call", "caller", 72_000, {"state": "alert", "why": "=1+1"})]
    call = next(iter(records_of(events).calls.values()))
    told = [(s.start_s, s.end_s, s.state, s.highest_p) for s in segments(call)]
    assert told == [(0.0, 4.5, "listening", None), (4.5, 10.0, "alert", 0.98)]
    rows = list(csv.DictReader(io.StringIO(as_csv([call]))))
    assert [row["state"] for row in rows] == ["listening", "alert"]
    assert rows[1]["why"] == "'=1+1", "no formula for a spreadsheet"


def test_local_time_stands_beside_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert moment("2026-07-01T12:00:00.5Z") == "2026-07-01 12:00:00 UTC (14:00:00, UTC+02:00)"
        assert moment("2026-07-01T23:00:00Z") == "2026-07-01 23:00:00 UTC (2026-07-02 01:00:00, UTC+02:00)"
        assert moment("no time") == "no time"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_live_call_is_titled_by_its_parties() -> None:
    data = {"source": "twilio", "details": {"from": "+4930", "to": "+4940"}}
    started = Event("call.started", "twilio-CA1", "", 0, data, time="2026-01-31T12:00:00Z")
    assert readable_name(CallRecord("twilio-CA1", "e", started)) == "+4930 → +4940"
    assert readable_name(CallRecord("call", "e", replace(started, time="no time"))) == "call"
