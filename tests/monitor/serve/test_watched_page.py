"""The page beside the watch of a microphone."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from helpers import QUICK, environment, make_weights, settings, start_monitor, voice, write_wav
from virtual_mic import VirtualMicrophones
from web_server import Served, picture

pytestmark = [pytest.mark.realtime, pytest.mark.microphone]


def test_a_microphone_is_seen_in_a_browser_and_its_call_can_be_marked(
    sound: VirtualMicrophones, tmp_path: Path
) -> None:
    make_weights(tmp_path / "w.safetensors")
    write_wav(tmp_path / "call.wav", voice(6.0))
    desktop = environment(**{k: v for k, v in sound.env.items() if k.startswith(("PULSE", "XDG", "HOME"))})
    words = ("--device", "mic", "--web", "127.0.0.1:0", "--json", "--no-publish", "--weights", "w.safetensors")
    with start_monitor(*words, "--journal", "journal", *settings(*QUICK), cwd=tmp_path, env=desktop) as monitor:
        result = json.loads(monitor.wait_for(lambda line: '"listening"' in line))
        page = Served(monitor, int(result["detail"].rpartition(":")[2]))
        player = sound.play("mic1", tmp_path / "call.wav")
        monitor.wait_for(lambda line: '"score"' in line)
        with page.socket("/live") as live:
            (row,) = picture(live, open="", seen=[])["table"]["calls"]
        _, _, body = page.request("/api/v1/calls")
        (call,) = json.loads(body)["calls"]
        assert (call["id"], call["call"], call["ended"]) == (row["id"], row["call"], None)
        assert json.loads(page.request("/session")[2])["microphone"] is False
        mark = json.dumps({"kind": "confirmed", "by": "Ann"})
        status, _, _ = page.request(f"/api/v1/calls/{call['id']}/marks", "POST", mark, Content_Type="application/json")
        assert status == 201
        player.kill()
        player.wait()
        assert monitor.end(signal.SIGINT) == 130
    last = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    (marked,) = (event for event in last if event["type"] == "call.marked")
    assert (marked["call"], marked["by"], marked["of_epoch"]) == (call["call"], "Ann", marked["epoch"])
