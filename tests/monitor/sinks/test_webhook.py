"""Webhooks against a real server that fails, stalls, redirects, refuses and dies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import signal
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import jsonschema
import pytest
import trustme
from helpers import (
    QUICK,
    assert_one_error,
    make_weights,
    run_here,
    run_monitor,
    settings,
    start_monitor,
    turning_call,
    write_wav,
)
from receivers import HttpReceiver, Says, alert, free_port, outlet, say, status, wait_until

from monitor.config.load import load_settings
from monitor.config.schema import Config
from monitor.errors import BadInputError
from monitor.events.bus import Bus
from monitor.events.schema.schema_files import read
from monitor.sinks.registry import open_sinks
from monitor.types import Event

pytestmark = pytest.mark.realtime

DOCUMENTATION = Path(__file__).parents[3] / "docs/outlets.md"
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()


def webhook(url: str, epoch: str = "epoch", **more: object) -> AbstractContextManager[Bus]:
    return outlet("webhook", epoch, url=url, **{"retry_first_s": 0.02, "retry_longest_s": 0.1, **more})


def numbers(receiver: HttpReceiver) -> list[str]:
    return [request.json["data"]["alert"].rpartition("/")[2] for request in receiver.taken]


def test_alerts_and_faults_arrive_as_cloudevents_and_nothing_else_does() -> None:
    with HttpReceiver() as receiver, webhook(receiver.url) as bus:
        bus.publish(Event("score", "call1", "caller", 1), wait=True)
        bus.publish(Event("call.started", "call1", "", 0), wait=True)
        bus.publish(Event("health", "", "", 0, {"code": "listening", "detail": "", "usable": True}), wait=True)
        bus.publish(Event("health", "", "", 0, {"code": "stalled", "detail": "", "usable": False}), wait=True)
        bus.publish(Event("health", "", "", 0, {"code": "recovered", "detail": "", "usable": True}), wait=True)
        bus.publish(alert(), wait=True)
        taken = receiver.wait_for(3)
        assert bus.drain(10.0)
        assert status(bus).emitted == 3
    assert [r.json["data"].get("code") for r in taken] == ["stalled", "recovered", None]
    jsonschema.Draft202012Validator(read("cloudevent")).validate(taken[-1].json)
    jsonschema.Draft202012Validator(read("alert.opened")).validate(taken[-1].json["data"])
    assert taken[-1].headers["Content-Type"].startswith("application/cloudevents+json")
    assert taken[-1].path == "/hook"


def test_requests_are_signed_and_carry_the_id_of_the_event() -> None:
    with HttpReceiver() as receiver, webhook(receiver.url, secret=SECRET, headers={"X-Key": "k"}) as bus:
        say(bus, 1)
        request = receiver.wait_for(1)[0]
    assert request.id == request.json["id"] == "epoch-1"
    assert request.headers["Idempotency-Key"] == '"epoch-1"'
    assert request.headers["X-Key"] == "k"
    signed = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(b"0123456789abcdef", signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"


def test_the_example_of_the_documentation_verifies_a_request() -> None:
    example: dict[str, Callable[..., bool]] = {}
    exec(re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)[0], example)
    with HttpReceiver() as receiver, webhook(receiver.url, secret=SECRET) as bus:
        say(bus, 1)
        request = receiver.wait_for(1)[0]
    assert example["genuine"](request.headers, request.body, b"0123456789abcdef")
    assert not example["genuine"](request.headers, request.body + b" ", b"0123456789abcdef")
    assert not example["genuine"](request.headers, request.body, b"another key")


def test_the_settings_of_the_documentation_can_be_followed(tmp_path: Path) -> None:
    for number, text in enumerate(re.findall(r"```toml\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)):
        (tmp_path / f"{number}.toml").write_text(text)
        load_settings(tmp_path / f"{number}.toml", {})
    assert number >= 6


@pytest.mark.parametrize("bad", [Says(500), Says(503), Says(429), Says(408), Says(502)])
def test_what_fails_is_sent_again_unchanged_and_in_order(bad: Says) -> None:
    with HttpReceiver(bad, bad) as receiver, webhook(receiver.url) as bus:
        say(bus, 3)
        receiver.wait_for(3)
        wait_until(lambda: status(bus).ok, "recovery")
    assert numbers(receiver) == ["1", "2", "3"]
    first = receiver.requests[:3]
    assert len({request.id for request in first}) == 1
    assert len({request.body for request in first}) == 1
    assert [request.id for request in receiver.taken] == ["epoch-1", "epoch-2", "epoch-3"]


def test_retry_after_is_respected() -> None:
    with HttpReceiver(Says(429, (("Retry-After", "1"),))) as receiver, webhook(receiver.url) as bus:
        say(bus, 1)
        receiver.wait_for(1)
    assert receiver.requests[1].at - receiver.requests[0].at >= 0.95


def test_what_is_refused_for_good_is_given_up_at_once_and_kept(tmp_path: Path) -> None:
    letters = tmp_path / "dead.jsonl"
    with HttpReceiver(Says(413)) as receiver, webhook(receiver.url, dead_letters=str(letters)) as bus:
        say(bus, 2)
        receiver.wait_for(1)
        wait_until(lambda: status(bus).ok, "recovery")
        assert (status(bus).dropped, status(bus).emitted) == (1, 1)
    assert len(receiver.requests) == 2
    assert numbers(receiver) == ["2"]
    letter = json.loads(letters.read_text())
    assert letter["id"] == "epoch-1"
    assert "status 413" in letter["reason"]
    assert letter["event"]["alert"] == "call1/caller/1"


def test_what_is_refused_again_and_again_is_given_up_in_the_end(tmp_path: Path) -> None:
    letters = tmp_path / "dead.jsonl"
    more = {"attempts": 3, "dead_letters": str(letters)}
    with HttpReceiver(*[Says(401)] * 3) as receiver, webhook(receiver.url, **more) as bus:
        say(bus, 2)
        receiver.wait_for(1)
        wait_until(lambda: status(bus).emitted, "the second event")
        assert status(bus).dropped == 1
    assert [request.id for request in receiver.requests] == ["epoch-1"] * 3 + ["epoch-2"]
    assert json.loads(letters.read_text())["event"]["seq"] == 1


def test_a_receiver_that_is_not_there_never_costs_an_event() -> None:
    with HttpReceiver(*[Says(503)] * 12) as receiver, webhook(receiver.url, attempts=2, retry_longest_s=0.02) as bus:
        say(bus, 1)
        receiver.wait_for(1)
        wait_until(lambda: status(bus).emitted == 1)
        assert status(bus).dropped == 0


def test_a_server_that_stalls_is_left_and_asked_again() -> None:
    with HttpReceiver(Says(stall_s=30)) as receiver, webhook(receiver.url, timeout_s=0.3) as bus:
        say(bus, 1)
        wait_until(lambda: "no answer in time" in status(bus).fault, "the fault")
        wait_until(lambda: status(bus).ok, "recovery")
        assert len(receiver.taken) == 1


def test_a_redirect_to_another_host_is_not_followed() -> None:
    with HttpReceiver() as other:
        leads_away = Says(307, (("Location", other.url),))
        with HttpReceiver(leads_away) as receiver, webhook(receiver.url) as bus:
            say(bus, 1)
            wait_until(lambda: "which is not followed" in status(bus).fault, "the fault")
            receiver.wait_for(1)
        assert other.requests == []


def test_a_redirect_on_the_same_host_is_followed() -> None:
    there = Says(308, (("Location", "/elsewhere?a=b"),))
    with HttpReceiver(there) as receiver, webhook(receiver.url) as bus:
        say(bus, 1)
        request = receiver.wait_for(1)[0]
    assert request.path == "/elsewhere?a=b"
    assert request.body == receiver.requests[0].body


def test_a_redirect_without_end_is_a_fault() -> None:
    around = Says(307, (("Location", "/hook"),))
    with HttpReceiver(*[around] * 4) as receiver, webhook(receiver.url) as bus:
        say(bus, 1)
        wait_until(lambda: "redirects more than" in status(bus).fault, "the fault")
        receiver.wait_for(1)


def test_a_receiver_that_dies_loses_nothing_and_the_backlog_is_shown() -> None:
    with HttpReceiver() as receiver, webhook(receiver.url) as bus:
        say(bus, 2)
        assert bus.drain(10.0)
        receiver.kill()
        say(bus, 5, first=3)
        wait_until(lambda: "refused" in status(bus).fault, "the fault")
        assert status(bus).queued == 5
        receiver.start()
        receiver.wait_for(7)
        assert bus.drain(10.0)
        assert (status(bus).queued, status(bus).dropped) == (0, 0)
    assert numbers(receiver) == list("1234567")


def test_a_backlog_survives_a_restart_and_comes_first(tmp_path: Path) -> None:
    port, spool = free_port(), tmp_path / "spool"
    url = f"http://127.0.0.1:{port}/hook"
    with webhook(url, "first", spool=str(spool)) as bus:
        say(bus, 3)
        wait_until(lambda: bus.status()[1].emitted == 3, "the spool")
        bus.close()
        assert (status(bus).kept, status(bus).dropped) == (3, 0)
    with HttpReceiver(port=port) as receiver, webhook(url, "second", spool=str(spool)) as bus:
        say(bus, 1, first=4)
        receiver.wait_for(4)
        assert bus.drain(10.0)
    assert [request.id for request in receiver.taken] == ["first-1", "first-2", "first-3", "second-1"]
    assert spool.read_bytes() == b""


def test_what_was_delivered_is_not_sent_again_by_the_next_run(tmp_path: Path) -> None:
    spool = str(tmp_path / "spool")
    with HttpReceiver() as receiver:
        for epoch in ("first", "second"):
            with webhook(receiver.url, epoch, spool=spool) as bus:
                say(bus, 2)
                assert bus.drain(10.0)
        assert [request.id for request in receiver.taken] == ["first-1", "first-2", "second-1", "second-2"]


def test_a_spool_with_a_torn_line_is_read_and_belongs_to_one_monitor(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with webhook(f"http://127.0.0.1:{free_port()}/hook", "first", spool=str(spool)) as bus:
        say(bus, 1)
        wait_until(lambda: bus.status()[1].emitted == 1, "the spool")
        other = {"zeromq": {"enabled": False}, "webhook": {"url": "http://127.0.0.1/", "spool": str(spool)}}
        with pytest.raises(BadInputError, match="in use by another monitor"):
            open_sinks(Config.model_validate(other), "other")
    with spool.open("ab") as file:
        file.write(b'{"type":"alert.op')
    with HttpReceiver() as receiver, webhook(receiver.url, "second", spool=str(spool)) as bus:
        receiver.wait_for(1)
        assert bus.drain(10.0)
    assert [request.id for request in receiver.taken] == ["first-1"]


def test_certificates_are_checked(tmp_path: Path) -> None:
    known, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    known.issue_cert("localhost").configure_cert(server)
    known.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with HttpReceiver(tls=server) as receiver:
        with webhook(receiver.url) as bus:
            say(bus, 1)
            wait_until(lambda: "certificate not trusted" in status(bus).fault, "the fault")
        assert receiver.requests == []
        with webhook(receiver.url, ca_file=str(tmp_path / "ca.pem")) as bus:
            say(bus, 1)
            receiver.wait_for(1)
        with webhook(receiver.url.replace("localhost", "127.0.0.1"), ca_file=str(tmp_path / "ca.pem")) as bus:
            say(bus, 1)
            wait_until(lambda: "certificate not trusted" in status(bus).fault, "the fault")


def test_binary_mode_and_the_other_bodies() -> None:
    bodies: dict[str, Callable[[HttpReceiver], object]] = {
        "cloudevents-binary": lambda r: (r.taken[0].headers["ce-id"], r.taken[0].json["type"]),
        "ocsf": lambda r: (r.taken[0].json["metadata"]["uid"], r.taken[0].json["unmapped"]["type"]),
        "alertmanager": lambda r: ("epoch-1", "alert.opened" if r.taken[0].json[0]["startsAt"] else ""),
    }
    for body, found in bodies.items():
        with HttpReceiver() as receiver, webhook(receiver.url, body=body) as bus:
            say(bus, 1)
            receiver.wait_for(1)
            assert found(receiver) == ("epoch-1", "alert.opened")


def test_bodies_that_know_alerts_alone_get_nothing_else() -> None:
    with HttpReceiver() as receiver, webhook(receiver.url, body="ocsf", events=["alert", "health", "score"]) as bus:
        bus.publish(Event("health", "", "", 0, {"code": "stalled", "detail": "", "usable": False}), wait=True)
        say(bus, 1)
        receiver.wait_for(1)
        assert bus.drain(10.0)
        assert status(bus).emitted == 1


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"url": "ftp://example.org/"}, "write a URL"),
        ({"url": "example.org/hook"}, "write a URL"),
        ({"url": "https://user:pass@example.org/"}, "put the password into headers"),
        ({"url": "https://example.org/#part"}, "no fragment"),
        ({"url": "https://example.org/a b"}, "no spaces"),
        ({"url": "https://example.org:99999/"}, "Port"),
        ({"url": "http://example.org/", "headers": {"Authorization": "x"}}, "in clear"),
        ({"url": "https://example.org/", "retry_first_s": 9.0, "retry_longest_s": 1.0}, "must not exceed"),
        ({"url": "https://example.org/", "events": []}, "at least 1"),
        ({"url": "https://example.org/", "events": ["alerts"]}, "should be"),
    ],
)
def test_settings_that_cannot_be_followed(section: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Config.model_validate({"webhook": section})


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"secret": "file:/not/there"}, "cannot read the secret"),
        ({"secret": "whsec_not base64"}, "not Base64"),
        ({"headers": {"X-Key": "two\nlines"}}, "'X-Key' cannot be sent"),
        ({"headers": {"X Key": "x"}}, "'X Key' cannot be sent"),
        ({"headers": {"X-Key": "schlüssel"}}, "'X-Key' cannot be sent"),
        ({"ca_file": "/not/there.pem"}, "ca_file /not/there.pem"),
        ({"spool": "/not/there/spool"}, "spool /not/there/spool"),
        ({"dead_letters": "/not/there/dead"}, "dead_letters /not/there/dead"),
    ],
)
def test_files_that_cannot_be_used_are_named_before_the_first_alert(section: dict[str, object], said: str) -> None:
    with pytest.raises(BadInputError) as caught, webhook("https://example.org/", **section):
        pass
    assert said in caught.value.message
    assert caught.value.hint


def test_the_settings_are_shown_without_secrets(capfd: pytest.CaptureFixture[str]) -> None:
    shown = run_here(capfd, "config", "--set", "webhook.secret=hunter2")
    assert shown.status == 0
    assert "hunter2" not in shown.out
    assert "********" in shown.out
    assert_one_error(wrong := run_here(capfd, "config", "--set", "webhook.url=https://me:hunter2@example.org/"))
    assert "hunter2" not in wrong.err


def test_alerts_of_a_monitor_that_was_killed_are_delivered_by_the_next(tmp_path: Path) -> None:
    call = write_wav(tmp_path / "call.wav", turning_call(3, 4, 8))
    weights, port = make_weights(tmp_path / "weights.safetensors"), free_port()
    hook = [f"webhook.url=http://127.0.0.1:{port}/hook", f"webhook.spool={tmp_path}/spool"]
    words = ["--weights", weights, "--no-publish", "--json", *settings(*QUICK, *hook)]
    with start_monitor("replay", call, "--speed", "4", *words, cwd=tmp_path) as first:
        opened = json.loads(first.wait_for(lambda line: '"alert.opened"' in line))
        closed = json.loads(first.wait_for(lambda line: '"alert.closed"' in line))
        wait_until(lambda: b'"alert.closed"' in (tmp_path / "spool").read_bytes(), "the spool")
        first.end(signal.SIGKILL)
    with HttpReceiver(port=port) as receiver:
        again = run_monitor("replay", call, "--speed", "max", *words, cwd=tmp_path)
        assert again.returncode == 0, again.stderr
        ids = [request.id for request in receiver.taken]
    assert ids[0] == f"{opened['epoch']}-{opened['seq']}"
    assert f"{closed['epoch']}-{closed['seq']}" in ids
    assert len(set(ids)) == len(ids)
    second = [i for i in ids if not i.startswith(opened["epoch"])]
    assert second
    assert ids[-len(second) :] == second
