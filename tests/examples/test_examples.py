"""The examples run as they stand, and do what they say."""

from __future__ import annotations

import csv
import http.client
import json
import runpy
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import QUICK, make_weights, turning_call, voice, write_wav
from publishing import Publisher

from monitor.sinks.webhook_signature import signature

EXAMPLES = Path(__file__).parents[2] / "examples"

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run an example as a program, in an empty folder, with small weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MONITOR_MODEL__WEIGHTS", str(make_weights(tmp_path / "w.safetensors")))
    for assignment in QUICK:
        key, _, value = assignment.partition("=")
        monkeypatch.setenv(f"MONITOR_{key.upper().replace('.', '__')}", value)

    def program(name: str, *words: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return int(ended.value.code or 0)

    return program


def test_every_example_is_tried() -> None:
    tested = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    for path in (*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.sh")):
        assert f'"{path.stem}"' in tested or f'"{path.name}"' in tested, path


def test_score_a_file(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(tmp_path / "call.wav", turning_call())
    assert run("score_file", "call.wav") == 0
    first, *stretches = capsys.readouterr().out.splitlines()
    assert first.startswith("mono: alert, p_fake ")
    assert any(line.endswith(": alert") for line in stretches)
    assert run("score_file", "none.wav") == 2
    assert "there is no file none.wav" in capsys.readouterr().err


def test_score_a_folder(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    write_wav(folder / "a.wav", turning_call())
    write_wav(folder / "b.wav", np.stack([voice(4.0), voice(4.0, hiss=True)], axis=1))
    (folder / "c.wav").write_bytes(b"no audio")
    assert run("score_folder", folder, "scores.csv") == 0
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = {(Path(row["path"]).name, row["channel"]): row for row in csv.DictReader(file)}
    assert set(rows) == {("a.wav", "mono"), ("b.wav", "left"), ("b.wav", "right"), ("c.wav", "")}
    assert rows["a.wav", "mono"]["state"] == "alert"
    assert float(rows["b.wav", "left"]["p_fake"]) < 0.5 < float(rows["b.wav", "right"]["p_fake"])
    assert rows["c.wav", ""]["error"]


def test_push_frames_from_a_socket(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    pcm = (turning_call() * 32_767).astype("<i2").tobytes()

    def send() -> None:
        for _ in range(600):
            try:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    for at in range(0, len(pcm), 321):
                        connection.sendall(pcm[at : at + 321])
                return
            except ConnectionRefusedError:
                time.sleep(0.1)

    sender = threading.Thread(target=send)
    sender.start()
    assert run("push_frames", port) == 0
    sender.join()
    lines = capsys.readouterr().out.splitlines()
    assert any("alert.opened alert" in line for line in lines)
    assert lines[-1].startswith("all of it: alert")


def test_subscribe_to_alerts(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    done = threading.Event()
    with Publisher() as publisher:

        def say() -> None:
            while not done.wait(0.2):
                publisher.say(1, "alert.opened", llr=3.5)

        speaker = threading.Thread(target=say)
        speaker.start()
        assert run("subscribe_alerts", publisher.address, 1) == 0
        done.set()
        speaker.join()
    assert capsys.readouterr().out.strip().endswith("alert.opened, llr 3.5")


def test_a_webhook_receiver_takes_what_is_signed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    example: dict[str, Any] = runpy.run_path(str(EXAMPLES / "webhook_receiver.py"))
    assert (EXAMPLES / "webhook_receiver.py").stem == "webhook_receiver"
    server = example["receiver"](0, b"secret")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    body = json.dumps({"type": "alert.opened", "subject": "call1/left"}).encode()

    def post(now: int, secret: str = "secret", sent: bytes = body) -> int:
        connection = http.client.HTTPConnection(*server.server_address)
        headers = {"webhook-id": "m1", "webhook-timestamp": str(now)}
        connection.request("POST", "/", sent, headers | {"webhook-signature": signature(secret, "m1", now, body)})
        return connection.getresponse().status

    now = int(time.time())
    assert (post(now), post(now)) == (204, 204)
    assert post(now, "another") == post(now - 301) == post(now, sent=body + b" ") == 401
    server.shutdown()
    server.server_close()
    assert capsys.readouterr().out == "alert.opened call1/left\n", "once"


def test_a_sink_of_ones_own(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(tmp_path / "call.wav", turning_call())
    assert run("own_sink", "call.wav", "alerts.db") == 0
    assert capsys.readouterr().out == "mono: alert\n"
    with sqlite3.connect(tmp_path / "alerts.db") as database:
        rows = database.execute("SELECT call, channel, type FROM alerts").fetchall()
    assert rows[0] == ("call.wav", "mono", "alert.opened")
    assert rows[-1][2] == "alert.closed"
