"""The command subscribe against a running publisher, and the examples of the documentation."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from zeromq_publisher import Publisher

pytestmark = pytest.mark.realtime


def command(address: str, *options: str) -> subprocess.Popen[str]:
    asked = ", ".join(option for option in options if not option.startswith("as_json"))
    as_json = "as_json=True" in options
    script = (
        "import sys; from monitor.cli.subscribe import SubscribeOptions, follow;"
        f"sys.exit(follow({address!r}, {as_json}, SubscribeOptions({asked}), False))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path.cwd()
    )


def test_subscribe_as_json_until_enough(publisher: Publisher) -> None:
    publisher.say("score", p_fake=0.5)
    out, err = command(publisher.address, "as_json=True", "count=1").communicate(timeout=20)
    assert json.loads(out)["p_fake"] == 0.5
    assert json.loads(out)["snapshot"] is True
    assert err == ""


def test_subscribe_for_people(publisher: Publisher) -> None:
    publisher.say("call.started")
    publisher.say("state.changed", **{"from": "clear", "state": "alert", "why": "evidence"})
    publisher.say("alert.opened", p_fake=0.97, llr=3.2, net_speech_s=6.0)
    publisher.say("score", state="alert", reason="speech", p_fake=0.97, call="call1\x1b[2J")
    out, err = command(publisher.address, "count=4").communicate(timeout=20)
    assert "call1/caller 0.0 s: state changed: clear -> alert, evidence (still holds)" in out
    assert "alert opened, p_fake 0.97, llr +3.2, speech 6.0 s" in out
    assert "call1?[2J/caller 0.0 s: alert (speech), p_fake 0.97\n" in out
    assert err == ""


def test_subscribe_says_that_it_waits_and_gives_up_in_time() -> None:
    process = command("tcp://127.0.0.1:9", "count=1", "timeout=1.0")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert err == "waiting for tcp://127.0.0.1:9\n"


def test_subscribe_ends_on_interrupt(publisher: Publisher) -> None:
    process = command(publisher.address)
    publisher.say("call.started")
    assert process.stdout
    assert "call started" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "")


def test_subscribe_ends_with_its_reader(publisher: Publisher) -> None:
    process = command(publisher.address, "as_json=True")
    publisher.say("call.started")
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline()
    process.stdout.close()
    until = time.monotonic() + 20.0
    while process.poll() is None:
        assert time.monotonic() < until
        publisher.say("call.started")
        time.sleep(0.05)
    assert process.returncode == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_stopped_subscriber_accounts_for_every_event_afterwards() -> None:
    publisher = Publisher(high_water_mark=10)
    process = command(publisher.address, "as_json=True", "timeout=6.0")
    assert process.stdout
    publisher.say("score")
    assert json.loads(process.stdout.readline())["seq"] == 1
    os.kill(process.pid, signal.SIGSTOP)
    for _ in range(1500):
        publisher.say("score", filler="x" * 20_000)
    assert publisher.bus.drain(30.0)
    os.kill(process.pid, signal.SIGCONT)
    out, _ = process.communicate(timeout=30)
    items = [json.loads(line) for line in out.splitlines()]
    got = {item["seq"] for item in items if item["type"] == "score"}
    missed = {seq for item in items if item["type"] == "missed" for seq in range(item["first"], item["last"] + 1)}
    assert missed
    assert got | missed == set(range(2, 1502))
    assert not any(item["type"] == "silent" for item in items)
    publisher.bus.close()


@pytest.mark.parametrize("example", [0, 1])
def test_the_examples_of_the_documentation_run(example: int, publisher: Publisher) -> None:
    text = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()
    script = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[example]
    script = script.replace("tcp://127.0.0.1:5556", publisher.address)
    publisher.say("alert.opened", p_fake=0.97)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    line = process.stdout.readline()
    process.terminate()
    process.communicate(timeout=10)
    assert "alert.opened" in line
