"""What outlets write, and when they try again: pure functions, against the rules of the standards."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from receivers import alert

from monitor.events.wire import alert_started
from monitor.sinks.bodies import FORMATS, dead_letter, prometheus_alert
from monitor.sinks.channel_states import ChannelStates
from monitor.sinks.desktop import command, text_of
from monitor.sinks.mqtt_state import RetainedTopics
from monitor.sinks.ocsf import finding
from monitor.sinks.retry import DeliveryOutcome, backoff_s, retry_after_s, verdict
from monitor.sinks.selection import selector
from monitor.sinks.syslog_message import frame, message
from monitor.sinks.webhook_signature import signature
from monitor.types import Event, State

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
TIME = "2026-01-31T12:00:01.250000Z"


def published(event: Event, seq: int = 1, time: str = TIME) -> Event:
    return replace(event, seq=seq, epoch="e", time=time)


OPENED = published(alert(duration_s=0.0))
UPDATED = published(alert(what="updated", duration_s=90.0), 2, "2026-01-31T12:01:31.250000Z")
CLOSED = published(alert(what="closed", duration_s=119.0), 3, "2026-01-31T12:02:00.250000Z")
"""One alert, as time goes on."""


# OCSF 1.4.0, class detection_finding, as github.com/ocsf/ocsf-schema has it: what is required of each object, what may
# be there, and the enumerations that are used.
REQUIRED = {
    "": {"activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time", "type_uid"},
    "finding_info": {"title", "uid"},
    "metadata": {"product", "version"},
    "product": set(),
    "analytic": {"type_id"},
    "resource_details": set(),
}
KNOWN = {
    "": REQUIRED[""]
    | {"activity_name", "category_name", "class_name", "type_name", "severity", "status_id", "status", "message"}
    | {"is_alert", "confidence_score", "resources", "unmapped", "start_time", "end_time"},
    "finding_info": {"uid", "title", "desc", "types", "analytic", "created_time", "modified_time"},
    "metadata": {"version", "product", "uid", "sequence", "original_time"},
    "product": {"name", "vendor_name", "version"},
    "analytic": {"name", "uid", "type_id", "type"},
    "resource_details": {"name", "uid", "type"},
}
AT_LEAST_ONE = {"product": {"name", "uid"}, "resource_details": {"name", "uid"}, "analytic": {"name", "uid"}}
CAPTIONS = {
    "activity_id": ("activity_name", {1: "Create", 2: "Update", 3: "Close"}),
    "severity_id": ("severity", {1: "Informational", 4: "High"}),
    "status_id": ("status", {1: "New", 2: "In Progress", 4: "Resolved"}),
    "category_uid": ("category_name", {2: "Findings"}),
    "class_uid": ("class_name", {2004: "Detection Finding"}),
}


def assert_ocsf(found: dict[str, object], kind: str) -> None:
    assert REQUIRED[kind] <= set(found) <= KNOWN[kind], kind
    assert not AT_LEAST_ONE.get(kind) or AT_LEAST_ONE[kind] & set(found)


@pytest.mark.parametrize(("what", "activity"), [("opened", 1), ("updated", 2), ("closed", 3)])
def test_an_alert_is_a_detection_finding(what: str, activity: int) -> None:
    found = json.loads(json.dumps(finding(published(alert(what=what)))))
    for kind, part in (
        ("", found),
        ("finding_info", found["finding_info"]),
        ("analytic", found["finding_info"]["analytic"]),
        ("metadata", found["metadata"]),
        ("product", found["metadata"]["product"]),
        ("resource_details", found["resources"][0]),
    ):
        assert_ocsf(part, kind)
    for key, (caption, values) in CAPTIONS.items():
        assert found[caption] == values[found[key]]
    assert found["activity_id"] == activity
    assert found["type_uid"] == 200400 + activity
    assert found["type_name"] == f"Detection Finding: {found['activity_name']}"
    assert found["time"] == 1769860801250
    assert found["is_alert"] is (activity != 3)
    assert found["confidence_score"] == 97
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["metadata"]["version"])
    assert found["finding_info"]["uid"] == "e/call1/caller/1"
    assert found["unmapped"]["type"] == f"alert.{what}"


def test_one_alert_is_one_finding_from_opened_to_closed() -> None:
    found = [finding(published(alert(what=what), seq)) for seq, what in enumerate(("opened", "updated", "closed"), 1)]
    assert len({json.dumps(f["finding_info"]["uid"]) for f in found}) == 1  # type: ignore[index]
    assert len({f["metadata"]["uid"] for f in found}) == 3  # type: ignore[index]


def test_every_format_says_when_an_alert_began() -> None:
    """Or its receiver would take the time of an update for it, or its own."""
    began = 1769860801250
    for event in (OPENED, UPDATED, CLOSED):
        assert alert_started(event) == TIME
        found = finding(event)
        assert (found["start_time"], found["finding_info"]["created_time"]) == (began, began)  # type: ignore[index]
        assert found["end_time"] == found["finding_info"]["modified_time"] == found["time"]  # type: ignore[index]
        assert f' started="{TIME}"' in parsed(event)["data"]
        sent = json.loads(FORMATS["alertmanager"].write(event, "/here")[1])[0]
        assert sent["startsAt"] == TIME
        assert sent["endsAt"] >= event.time
    assert "started=" not in parsed(published(Event("score", "c", "a", 0)))["data"]


def test_alertmanager_tells_alerts_apart_by_labels_that_never_change() -> None:
    opened, closed = published(alert()), published(alert(what="closed"), 2)
    first = prometheus_alert(opened, "/here", TIME, TIME)
    last = prometheus_alert(closed, "/here", TIME, "2026-01-31T12:03:00Z")
    assert first["labels"] == last["labels"]
    assert first["endsAt"] == "2026-01-31T12:05:01.250000Z"
    assert last["endsAt"] == "2026-01-31T12:03:00Z"
    assert all(isinstance(value, str) and value for value in first["labels"].values())  # type: ignore[attr-defined]
    other = prometheus_alert(published(alert(2)), "/here", TIME, TIME)
    assert other["labels"] != first["labels"]


PATTERN = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) - (?P<id>[!-~]{1,32}) "
    r'(?P<data>\[[!-~]+@\d+(?: [!-<>-Z^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\]) (?P<text>.*)',
    re.DOTALL,
)


def parsed(event: Event) -> re.Match[str]:
    found = PATTERN.fullmatch(message(event, "host", 16, 32473).decode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("event", "severity"),
    [
        (alert(), 1),
        (alert(what="updated"), 5),
        (alert(what="closed"), 5),
        (Event("health", "", "", 0, {"code": "stalled", "detail": "", "usable": False}), 4),
        (Event("health", "", "", 0, {"code": "listening", "detail": "", "usable": True}), 6),
        (Event("score", "c", "a", 0), 7),
    ],
)
def test_a_syslog_message_is_of_rfc_5424(event: Event, severity: int) -> None:
    found = parsed(published(event))
    assert int(found["pri"]) == 16 * 8 + severity
    assert found["id"] == event.type
    assert found["time"] == TIME
    assert json.loads(found["text"])["type"] == event.type


FORGERIES = ['a"b', "a]b", "a\\b", 'x"] [forged@1 a="b', "line\n<0>1 - forged", "Zoë", "a\0b\x1b[2J"]


@pytest.mark.parametrize("name", FORGERIES)
def test_no_name_can_forge_a_message(name: str) -> None:
    found = parsed(published(alert(call=name)))
    assert "forged@1 a=" not in found["data"] or '\\"' in found["data"]
    assert json.loads(found["text"])["call"] == name
    assert all(letter.isprintable() for letter in found[0])
    value = re.search(r'call="((?:[^"\\\]]|\\.)*)"', found["data"])
    assert value is not None
    unescaped = re.sub(r"\\(.)", r"\1", value[1])
    assert unescaped == "".join(letter if letter.isprintable() else "?" for letter in name)


def test_a_host_without_a_printable_name() -> None:
    assert b" h_st " in message(published(alert()), "höst", 16, 1)
    assert b" - deepfake" in message(published(alert()), "", 16, 1)


def test_frames_count_octets() -> None:
    assert frame("aé".encode()) == b"3 a\xc3\xa9"


def test_a_signature_is_that_of_the_specification() -> None:
    """The example of github.com/standard-webhooks, whose key is known."""
    key, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected
    assert signature("plain text", "id", 1, body) != signature("other text", "id", 1, body)


def test_a_dead_letter_is_a_line_that_tells_why() -> None:
    letter = dead_letter(published(alert()), 'said "no"\nand left')
    assert letter.count(b"\n") == 1
    found = json.loads(letter)
    assert found["reason"] == 'said "no"\nand left'
    assert found["event"]["seq"] == 1


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, DeliveryOutcome.ACCEPTED),
        (202, DeliveryOutcome.ACCEPTED),
        (204, DeliveryOutcome.ACCEPTED),
        (302, DeliveryOutcome.REFUSED),
        (401, DeliveryOutcome.REFUSED),
        (404, DeliveryOutcome.REFUSED),
        (500, DeliveryOutcome.REFUSED),
        (400, DeliveryOutcome.INVALID),
        (413, DeliveryOutcome.INVALID),
        (429, DeliveryOutcome.BUSY),
        (503, DeliveryOutcome.BUSY),
    ],
)
def test_what_an_answer_means(status: int, meaning: DeliveryOutcome) -> None:
    assert verdict(status) is meaning


def test_the_back_off_doubles_up_to_its_longest_with_jitter() -> None:
    assert [backoff_s(n, 0.5, 10.0, 1.0) for n in range(1, 8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert [backoff_s(n, 0.5, 10.0, 0.0) for n in (1, 2, 10_000)] == [0.25, 0.5, 5.0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sat, 31 Jan 2026 12:00:30 GMT", 30.0),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Jan 2031 12:00:00 GMT", 3600.0),
        ("999999999999999", 3600.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        (None, 0.0),
    ],
)
def test_retry_after(value: str | None, seconds: float) -> None:
    assert retry_after_s(value, NOW) == seconds


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (["alert"], {"alert.opened", "alert.closed"}),
        (["alert.opened"], {"alert.opened"}),
        (["fault"], {"fault", "sink"}),
        (["health"], {"fault", "sink", "news"}),
        (["score", "state"], {"score", "state.changed"}),
    ],
)
def test_which_events_are_chosen(words: list[str], chosen: set[str]) -> None:
    health = {
        "fault": {"code": "stalled", "usable": False},
        "sink": {"code": "sink fault", "usable": True},
        "news": {"code": "listening", "usable": True},
    }
    events = {name: Event("health", "", "", 0, data) for name, data in health.items()}
    events |= {t: Event(t, "c", "a", 0) for t in ("alert.opened", "alert.closed", "score", "state.changed")}
    assert {name for name, event in events.items() if selector(words)(event)} == chosen


STARTED = Event("call.started", "call1", "", 0, {"channels": ["caller", "agent"]}, time=TIME)
CHANGED = Event("state.changed", "call1", "caller", 0, {"state": "unknown", "p_fake": 0.5, "llr": 0.0}, time=TIME)
ENDED = Event("call.ended", "call1", "", 0, {"channels": {"caller": {}, "agent": {}}}, time=TIME)


def test_what_a_broker_retains_follows_the_call() -> None:
    before, seen = RetainedTopics(), []
    for event in (STARTED, CHANGED, OPENED, UPDATED, CLOSED, ENDED):
        after = before.after(event)
        seen.append(dict(after.since(before)))
        before = after
    caller, agent = "state/call1/caller", "state/call1/agent"
    states = {topic: json.loads(text)["state"] for topic, text in seen[0].items()}
    assert states == {caller: "listening", agent: "listening"}
    assert json.loads(seen[1][caller])["state"] == "unknown"
    assert seen[2]["open_alerts"] == "1"
    assert json.loads(seen[2][caller])["p_fake"] == 0.97
    assert "open_alerts" not in seen[3]
    assert seen[4]["open_alerts"] == "0"
    assert seen[5] == {caller: "", agent: ""}
    assert before.messages() == {"open_alerts": "0"}


def test_a_broker_retains_since_when_a_state_holds() -> None:
    retained, since = RetainedTopics(), []
    for event in (STARTED, OPENED, UPDATED, CLOSED):
        retained = retained.after(event)
        state = json.loads(retained.messages()["state/call1/caller"])
        since.append((state["state"], state["since"], state["time"]))
    assert since == [
        ("listening", TIME, TIME),
        ("alert", TIME, TIME),
        ("alert", TIME, UPDATED.time),
        ("clear", CLOSED.time, CLOSED.time),
    ]


def test_names_cannot_reach_other_topics() -> None:
    event = Event("call.started", "#/../+", "", 0, {"channels": ["a/b"]}, time=TIME)
    assert set(RetainedTopics().after(event).states) == {"state/%23%2F%2E%2E%2F%2B/a%2Fb"}


def test_channels_are_counted_by_state() -> None:
    states = ChannelStates()
    for event in (STARTED, CHANGED, alert()):
        assert states.take(event)
    assert not states.take(Event("score", "call1", "caller", 0))
    assert states.counts() | {} == {
        State.LISTENING: 1,
        State.CLEAR: 0,
        State.SUSPICIOUS: 0,
        State.UNDECIDED: 0,
        State.ALERT: 0,
        State.UNKNOWN: 1,
    }
    assert states.opened == {"call1/caller/1"}
    states.take(alert(what="closed"))
    states.take(ENDED)
    assert not states.opened
    assert not states.calls
    assert sum(states.counts().values()) == 0


def test_a_notification_is_data_to_every_desktop() -> None:
    hostile = '<b>&"; $(reboot) end run'
    linux, mac, windows = (command(platform, hostile) for platform in ("linux", "darwin", "win32"))
    assert linux.words[-1] == '&lt;b&gt;&amp;"; $(reboot) end run'
    assert linux.words[linux.words.index("--") + 1 :][-1] == linux.words[-1]
    assert mac.words[-1] == hostile
    assert hostile not in " ".join(windows.words)
    assert windows.environment["MONITOR_TOAST_BODY"] == hostile


def test_a_notification_says_who_and_how_many() -> None:
    assert text_of(alert(), 0) == "call1/caller: p_fake 0.97"
    assert text_of(alert(call="a\nb"), 2) == "a?b/caller: p_fake 0.97 (and 2 more)"
