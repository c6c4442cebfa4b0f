"""Whether what the program says is what its schemas say, and that a version of them stays what it was."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from helpers import QUICK, events_of, make_weights, run_here, settings, start_monitor, turning_call, write_wav
from pydantic import BaseModel
from schema_changes import breaking

from monitor.engine import event_data as emitted
from monitor.events.schema.event_models import ENVELOPE, EVENTS, SCHEMAS
from monitor.events.schema.schema_files import FOLDER, NAMES, generate, read, schema_id, text_of
from monitor.subscriber import Message, Subscriber
from monitor.types import SAMPLE_RATE

ROOT = Path(__file__).parents[3]
PLACE = f"monitor/events/schema/{FOLDER}"


def assert_valid(event: dict[str, Any]) -> None:
    """As the schema says, and with no field that it does not know."""
    schema = read(event["type"])
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(event)
    assert set(event) <= set(schema["properties"]), event
    EVENTS[event["type"]].model_validate_json(json.dumps(event))


@pytest.fixture
def call(tmp_path: Path) -> tuple[Path, Path]:
    """A call whose voice turns synthetic, and weights that hear it."""
    return write_wav(tmp_path / "call.wav", turning_call(3, 4, 5)), make_weights(tmp_path / "weights.safetensors")


def test_every_event_of_a_replay_is_valid(call: tuple[Path, Path], capfd: pytest.CaptureFixture[str]) -> None:
    words = ["replay", call[0], "--speed", "max", "--json", "--no-publish", "--weights", call[1], *settings(*QUICK)]
    found = events_of(run_here(capfd, *words).out)
    for event in found:
        assert_valid(event)
    assert {event["type"] for event in found} == set(EVENTS) - {"health", "call.marked"}


@pytest.mark.realtime
def test_what_is_published_is_valid_with_heartbeats_and_snapshots(call: tuple[Path, Path], tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/socket"
    words = ["replay", call[0], "--weights", call[1], "--publish", address, "--json", *settings(*QUICK)]
    seen: list[dict[str, Any]] = []
    with start_monitor(*words, cwd=tmp_path) as monitor, Subscriber(address, heartbeats=True) as late:
        monitor.wait_for(lambda line: '"alert.opened"' in line)
        with Subscriber(address, heartbeats=True) as newcomer:
            for subscriber in (newcomer, late):
                while not seen or seen[-1]["type"] != "call.ended":
                    item = subscriber.receive(60.0)
                    if isinstance(item, Message):
                        seen.append(json.loads(item.raw))
                        assert_valid(seen[-1])
                assert {"score", "health", "alert.opened"} <= {event["type"] for event in seen}
                snapshots = [event for event in seen if event.get("snapshot")]
                seen.clear()
                if subscriber is newcomer:
                    assert {"call.started", "alert.opened"} <= {event["type"] for event in snapshots}


def test_health_is_valid() -> None:
    event = emitted.health("call", "caller", SAMPLE_RATE, "stalled", "no audio for 0.5 s", False)
    envelope = {"type": event.type, "call": "call", "channel": "caller", "sample": event.sample, "seq": 1}
    assert_valid({**envelope, "epoch": "e", "time": "2026-01-31T12:00:00.000000Z", **event.data})


def test_the_files_are_what_the_models_make() -> None:
    assert generate() == {name: text_of(name) for name in NAMES}, "run: python -m monitor.events.schema"
    assert set(NAMES) == set(SCHEMAS)
    assert {path.stem for path in (ROOT / PLACE).iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_says_what_each_field_is(name: str) -> None:
    schema = read(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == schema_id(name)
    if name != ENVELOPE:
        for field, part in schema["properties"].items():
            assert field == "type" or part.get("description") or "$ref" in part, field
            assert not field.endswith("_s") or part["unit"] == "s"
            assert not field.endswith("_ms") or part["unit"] == "ms"


def test_the_documentation_names_every_field_and_every_type() -> None:
    text = (ROOT / "docs/alerts.md").read_text()
    for name in EVENTS:
        assert f"`{name}`" in text
        for field in read(name)["properties"]:
            assert f"`{field}`" in text, f"{name}: {field}"


def git(*words: str) -> str:
    ran = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode:
        pytest.skip(f"no history to compare with: {ran.stderr.strip()}")
    return ran.stdout


@pytest.mark.parametrize("name", NAMES)
def test_this_version_breaks_nothing_that_was_ever_committed_as_it(name: str) -> None:
    path = f"{PLACE}/{name}.json"
    for commit in git("log", "--format=%H", "--diff-filter=AM", "--", path).split():
        then = json.loads(git("show", f"{commit}:{path}"))
        assert breaking(then, read(name)) == [], f"since {commit[:10]}: needs a new folder beside {FOLDER}"


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s["properties"].pop("p_fake"), "/p_fake: removed"),
        (lambda s: s["properties"]["p_fake"].update(type="integer"), "/p_fake: type was 'number' and is 'integer'"),
        (lambda s: s["properties"]["p_fake"].update(maximum=0.5), "/p_fake: maximum fell to 0.5"),
        (lambda s: s["properties"]["llr"].update(minimum=-8), "/llr: minimum rose to -8"),
        (lambda s: s["properties"]["llr"].update(unit="bit"), "/llr: unit was 'nat' and is 'bit'"),
        (lambda s: s["required"].append("prev"), "/prev: now required"),
        (lambda s: s["required"].remove("llr"), "/llr: no longer required"),
        (lambda s: s["$defs"]["State"]["enum"].remove("clear"), "/state: no longer ['clear']"),
        (lambda s: s["properties"]["call"].update(enum=["a"]), "/call: only ['a'] is left"),
        (lambda s: s["properties"]["call"].update(pattern="a"), "/call: pattern was None and is 'a'"),
        (
            lambda s: s["properties"]["families"]["additionalProperties"].update(type="string"),
            "/families/*: type was 'number' and is 'string'",
        ),
    ],
)
def test_what_breaks(change: Change, said: str) -> None:
    old = read("score")
    new = copy.deepcopy(dict(old))
    change(new)
    assert breaking(old, new) == [said]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["properties"].update(new={"type": "string"}),
        lambda s: s["properties"]["p_fake"].update(description="other words"),
        lambda s: s["properties"]["p_fake"].update(maximum=2),
        lambda s: s["$defs"]["State"]["enum"].append("bored"),
    ],
)
def test_what_does_not_break(change: Change) -> None:
    new = copy.deepcopy(dict(read("score")))
    change(new)
    assert breaking(read("score"), new) == []


def test_lists_and_nested_objects_are_compared() -> None:
    old = read("call.ended")
    new = copy.deepcopy(dict(old))
    del new["$defs"]["ChannelSummary"]["properties"]["alerts"]
    assert breaking(old, new) == ["/channels/*/alerts: removed"]
    started = copy.deepcopy(dict(read("call.started")))
    started["properties"]["channels"]["items"]["type"] = "integer"
    assert breaking(read("call.started"), started) == ["/channels/*: type was 'string' and is 'integer'"]


def test_the_command_prints_them(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_here(capfd, "schema", "score").out == text_of("score")
    assert json.loads(run_here(capfd, "schema").out) == {name: read(name) for name in NAMES}
    wrong = run_here(capfd, "schema", "scores")
    assert wrong.status == 2
    assert "the schemas are" in wrong.err


def test_models_are_open_to_fields_of_later_versions() -> None:
    for model in SCHEMAS.values():
        assert issubclass(model, BaseModel)
        assert model.model_config.get("extra") == "allow"
