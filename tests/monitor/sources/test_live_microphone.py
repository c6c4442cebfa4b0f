"""`monitor --device`: a call played into a microphone becomes an alert, here and in another process, until Ctrl-C."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
import virtual_mic
from helpers import QUICK, environment, journaled, make_weights, settings, start_monitor, turning_call, write_wav

pytestmark = [pytest.mark.microphone, pytest.mark.realtime]


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def test_a_call_into_a_microphone(microphones: virtual_mic.VirtualMicrophones, tmp_path: Path) -> None:
    make_weights(tmp_path / "w.safetensors")
    call = write_wav(tmp_path / "call.wav", turning_call(3.0, 4.0, 10.0))
    env = environment(**{k: v for k, v in microphones.env.items() if k.startswith(("PULSE", "XDG", "HOME"))})
    address = _free_address()
    words = ("--device", "mic1", "--weights", "w.safetensors", "--json", "--publish", address, "--journal", "journal")
    with (
        start_monitor("subscribe", address, "--json", cwd=tmp_path, env=env) as subscriber,
        start_monitor(*words, *settings(*QUICK), cwd=tmp_path, env=env) as monitor,
    ):
        monitor.wait_for(lambda line: '"type":"score"' in line)
        player = microphones.play("mic1", call)
        try:
            monitor.wait_for(lambda line: '"state":"clear"' in line)
            monitor.wait_for(lambda line: '"alert.opened"' in line)
            monitor.wait_for(lambda line: '"alert.closed"' in line)
        finally:
            player.kill()
            player.wait()
        status = monitor.end(signal.SIGINT)
        subscriber.wait_for(lambda line: '"stopped"' in line)
        assert subscriber.end(signal.SIGINT) == 130
    assert status == 130
    assert monitor.stderr == ""
    events = monitor.events
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[0]["channels"], events[0]["source"]) == ("call.started", ["mic"], "mic1")
    assert (events[-1]["type"], events[-1]["why"]) == ("call.ended", "interrupted")
    assert [e["type"] for e in events if e["type"] in ("alert.opened", "alert.closed")] == [
        "alert.opened",
        "alert.closed",
    ]
    assert events[-1]["channels"]["mic"]["alerts"] == 1
    assert journaled(tmp_path / "journal") == "".join(monitor.lines)
    received = {e["seq"]: e for e in subscriber.events if e.get("seq")}
    for event in events:
        if event["seq"] >= min(seq for seq, e in received.items() if e["type"] == "score"):
            got = received[event["seq"]]
            assert {k: got[k] for k in event} == event


def test_a_wrong_name_lists_what_there_is(microphones: virtual_mic.VirtualMicrophones, tmp_path: Path) -> None:
    env = environment(**{k: v for k, v in microphones.env.items() if k.startswith(("PULSE", "XDG", "HOME"))})
    with start_monitor("--device", "studio", cwd=tmp_path, env=env) as monitor:
        assert monitor.end() == 2
    lines = monitor.stderr.splitlines()
    assert lines[0] == "error: there is no audio input 'studio'"
    assert lines[1].startswith("  choose one of: ")
    assert "mic1" in lines[1]
    assert len(lines) == 2
