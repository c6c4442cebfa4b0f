"""The envelope, in both modes, and the command that writes it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest
from helpers import MONITOR, QUICK, Running, make_weights, run_here, settings, start_monitor, turning_call, write_wav

from monitor.config.schema import Config
from monitor.events import wire
from monitor.events.bus import Bus
from monitor.events.cloudevents import attributes, binary, event_id, structured
from monitor.events.schema.schema_files import read
from monitor.sinks.registry import open_sinks
from monitor.types import Event

NUMBERED = Event(
    "alert.opened", "Anruf 7", "caller", 320, {"p_fake": 0.9}, 12, "20260131T120000Z-9f3c1a", "2026-01-31T12:00:01.5Z"
)
UNNUMBERED = Event("health", "", "", 0, {"code": "sink fault"}, 0, NUMBERED.epoch, "2026-01-31T12:00:02.5Z")


@pytest.mark.parametrize("event", [NUMBERED, UNNUMBERED])
def test_the_envelope_is_valid_and_holds_the_event_as_it_is(event: Event) -> None:
    found = json.loads(structured(event))
    jsonschema.Draft202012Validator(read("cloudevent")).validate(found)
    assert found["data"] == json.loads(wire.encode(event))
    assert found["type"] == f"deepfake-speech-monitor.{event.type}"
    assert found["dataschema"] == read(event.type)["$id"]
    assert found["time"] == event.time


def test_the_id_is_stable_and_never_shared() -> None:
    assert event_id(NUMBERED) == "20260131T120000Z-9f3c1a-12"
    assert event_id(UNNUMBERED) == "20260131T120000Z-9f3c1a-0-2026-01-31T12:00:02.5Z"


def test_names_of_attributes_are_lower_case_letters_and_digits() -> None:
    for name, value in attributes(NUMBERED).items():
        assert name.isalnum()
        assert name == name.lower()
        assert len(name) <= 20
        assert value


def test_what_is_not_there_is_absent() -> None:
    assert not {"subject", "sequence", "partitionkey"} & set(attributes(UNNUMBERED))
    assert attributes(NUMBERED)["subject"] == "Anruf 7/caller"
    assert attributes(NUMBERED)["sequence"] == "00000000000000000012"


def test_sequences_sort_as_text() -> None:
    numbers = [attributes(Event("score", "c", "a", 0, {}, seq, "e", "t"))["sequence"] for seq in (2, 10, 9_999_999)]
    assert numbers == sorted(numbers)


def test_binary_mode_has_headers_that_http_can_carry() -> None:
    event = Event("score", 'Zoë 100% "x"\r\nEvil: 1', "a", 0, {}, 1, "e", "2026-01-31T12:00:01Z")
    headers, body = binary(event, "https://example.org/monitor?a=b")
    assert headers["Content-Type"] == "application/json"
    assert headers["ce-source"] == "https://example.org/monitor?a=b"
    assert headers["ce-time"] == "2026-01-31T12:00:01Z"
    assert headers["ce-partitionkey"] == "Zo%C3%AB%20100%25%20%22x%22%0D%0AEvil:%201"
    assert unquote(headers["ce-partitionkey"]) == event.call
    assert body == wire.encode(event)


def test_the_raw_bytes_of_an_event_are_passed_on() -> None:
    raw = wire.encode(NUMBERED, prev=4)
    assert json.loads(structured(NUMBERED, raw=raw))["data"]["prev"] == 4


def test_what_is_sent_before_the_first_heartbeat_has_the_publishers_name_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = Config.model_validate(
        {"zeromq": {"address": f"ipc://{tmp_path}/socket"}, "publish": {"source": "//pbx.example/monitor-3"}}
    )
    with Bus(open_sinks(config, "epoch"), 100, "epoch") as bus:
        bus.publish(NUMBERED, wait=True)
        assert bus.drain(10.0)
        words = ["--cloudevents", "--topic", "alert.", "--topic", "score.", "--count", "1", "--timeout", "60"]
        ran = run_here(capfd, "subscribe", config.zeromq.address, *words)
    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out)["source"] == "//pbx.example/monitor-3"


@pytest.mark.realtime
def test_subscribe_writes_them(tmp_path: Path) -> None:
    call = write_wav(tmp_path / "call.wav", turning_call(3, 4, 4))
    weights, address = make_weights(tmp_path / "weights.safetensors"), f"ipc://{tmp_path}/socket"
    subscribe = [MONITOR, "subscribe", address, "--cloudevents", "--topic", "alert.", "--topic", "call."]
    with Running([*subscribe, "--timeout", "80"], tmp_path) as subscriber:
        words = ["replay", call, "--weights", weights, "--publish", address, "--screen", "off", *settings(*QUICK)]
        words += settings("publish.source=//pbx.example/monitor-3")
        with start_monitor(*words, cwd=tmp_path) as monitor:
            subscriber.wait_for(lambda line: "call.ended" in line)
            assert monitor.end() == 0
        for found in subscriber.events:
            jsonschema.Draft202012Validator(read("cloudevent")).validate(found)
            assert found["source"] == "//pbx.example/monitor-3"
        assert {"alert.opened", "alert.closed", "call.ended"} <= {found["data"]["type"] for found in subscriber.events}
