"""AudioHook as users run it: `monitor serve` in one process, its simulator in another."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import (
    Running,
    assert_one_error,
    run_here,
    run_monitor,
    settings,
    start_monitor,
    turning_call,
    voice,
    write_wav,
)
from telephone import make_telephone_weights

from monitor.audio import Audio

pytestmark = pytest.mark.realtime

KEY, SECRET = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh", "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU="
"""Of the example in the documentation of AudioHook."""
OTHER_SECRET = "QW5vdGhlciBzZWNyZXQgb2YgMjQgYnl0"
QUICK = ("evidence.memory_s=1.5", "alerts.close_hold_s=1.0", "serve.idle_s=10.0", "serve.ring_s=20.0")


@dataclass
class Server:
    """A server that listens, and the address of its AudioHook."""

    monitor: Running
    to: str
    folder: Path

    def simulate(self, audio: Audio, *options: str, secret: str = SECRET) -> subprocess.CompletedProcess[str]:
        write_wav(self.folder / "call.wav", audio)
        words = [word for option in (f"key={KEY}", f"secret={secret}", *options) for word in ("--with", option)]
        return run_monitor("simulate", "audiohook", "call.wav", "--to", self.to, *words, cwd=self.folder)

    def of(self, kind: str, call: str = "") -> list[dict[str, Any]]:
        return [e for e in self.monitor.events if e["type"] == kind and call in e["call"]]

    def played(self, audio: Audio, *options: str) -> str:
        """Play a call to its end; its name."""
        before = len(self.of("call.ended"))
        ran = self.simulate(audio, *options)
        assert (ran.returncode, ran.stderr) == (0, "")
        self.monitor.wait_for(lambda line: '"call.ended"' in line and len(self.of("call.ended")) > before)
        return str(self.of("call.ended")[before]["call"])


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[Server]:
    """It is ended by Ctrl-C."""
    make_telephone_weights(folder / "w.safetensors")
    keys = folder / "keys"
    keys.write_text(f"# API key and client secret\n{KEY} {SECRET}\n")
    keys.chmod(0o600)
    options = ("--weights", "w.safetensors", "--json", "--no-publish", "--websocket", "127.0.0.1:0")
    more = settings(*QUICK, "taps.audiohook.keys_file=keys")
    with start_monitor("serve", *options, *more, *words, cwd=folder) as monitor:
        result = json.loads(monitor.wait_for(lambda line: '"listening"' in line))
        yield Server(monitor, f"ws://{result['detail'].split()[-1]}/audiohook", folder)
        assert monitor.end(signal.SIGINT) == 130
        assert monitor.stderr == ""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


def test_the_external_party_of_a_call_turns_synthetic(server: Server) -> None:
    call = server.played(np.stack([turning_call(3, 4, 2), voice(9.0, seed=9)], axis=1))
    (started,), (opened,), (ended,) = (server.of(kind, call) for kind in ("call.started", "alert.opened", "call.ended"))
    assert started["channels"] == ["external", "internal"]
    assert started["details"]["ani"] == "+15550100"
    assert started["details"]["dnis"] == "+15550199"
    assert started["details"]["conversation"] in call
    assert opened["channel"] == "external"
    assert 3.0 < opened["opened_s"] < 6.0
    assert ended["why"] == "the conversation is over"
    assert ended["duration_s"] == pytest.approx(9.0, abs=0.05)
    assert ended["lost_s"] == 0


@pytest.mark.parametrize(("option", "lost_s"), [("pause=1+2", 0.0), ("discard=1+2", 2.0)])
def test_a_pause_is_neither_loss_nor_evidence_and_what_is_discarded_is_lost(
    option: str, lost_s: float, server: Server
) -> None:
    call = server.played(voice(6.0), option)
    (ended,) = server.of("call.ended", call)
    assert ended["lost_s"] == pytest.approx(lost_s, abs=0.05)
    assert ended["duration_s"] == pytest.approx(6.0, abs=0.05)
    assert ended["channels"]["external"]["net_speech_s"] < 4.1
    result = [event["code"] for event in server.of("health", call)]
    if "pause" in option:
        assert result == ["paused", "recovered"]
    else:
        assert set(result) <= {"hard to judge", "judged again"}, "a third of the speech was lost"


def test_a_connection_probe_begins_no_call(server: Server) -> None:
    before = len(server.of("call.started"))
    assert server.simulate(voice(0.5), "probe=yes").returncode == 0
    server.played(voice(0.5))
    assert len(server.of("call.started")) == before + 1


def test_who_does_not_know_the_secret_is_refused_and_counted(server: Server) -> None:
    ran = server.simulate(voice(0.5), secret=OTHER_SECRET)
    assert_one_line(ran, "the monitor refused: HTTP 401: unauthorized")
    result = server.monitor.wait_for(lambda line: '"not heard"' in line)
    assert "audiohook: a signature under another secret" in result
    assert SECRET not in "".join(server.monitor.lines)


def test_more_calls_than_are_allowed_are_disconnected(tmp_path: Path) -> None:
    with serving(tmp_path, *settings("serve.max_calls=1")) as server:
        write_wav(tmp_path / "call.wav", voice(2.0))
        words = ["--calls", "2", "--to", server.to, "--with", f"key={KEY}", "--with", f"secret={SECRET}"]
        ran = run_monitor("simulate", "audiohook", "call.wav", *words, cwd=tmp_path)
        server.monitor.wait_for(lambda line: '"call.ended"' in line)
    assert ran.stdout.startswith("1 of 2 calls played")
    assert "the monitor refused: error, refused: serve.max_calls = 1 are there already" in ran.stderr
    assert len(server.of("call.started")) == 1


def assert_one_line(ran: subprocess.CompletedProcess[str], says: str) -> None:
    assert (ran.returncode, ran.stderr) == (2, f"error: {says}\n")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "--with key=API-KEY --with secret=CLIENT-SECRET"),
        ((f"key={KEY}", "secret=?"), "not base64"),
        ((f"key={KEY}", f"secret={SECRET}", "pause=2"), "pause=2+3"),
        ((f"key={KEY}", f"secret={SECRET}", "probe=1"), "probe=1 is not valid"),
    ],
)
def test_what_the_simulator_cannot_do_is_one_error(
    options: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wav = write_wav(tmp_path / "call.wav", voice(0.5))
    words = [word for option in options for word in ("--with", option)]
    assert_one_error(run_here(capsys, "simulate", "audiohook", wav, *words), says)


def test_keys_are_read_from_a_file_for_its_owner_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = tmp_path / "keys"
    words = ["serve", "--websocket", "127.0.0.1:0", "--no-publish", *settings(f"taps.audiohook.keys_file={keys}")]
    assert_one_error(run_here(capsys, *words), "cannot be read")
    keys.write_text(f"{KEY} {SECRET}")
    keys.chmod(0o644)
    assert_one_error(run_here(capsys, *words), "can be read by others", "chmod 600")
    keys.chmod(0o600)
    for text, says in ((KEY, "line 1, is not a key"), (f"{KEY} ???", "not base64"), (f"{KEY} AAAA", "16 bytes")):
        keys.write_text(text)
        assert_one_error(run_here(capsys, *words), says)


def test_secrets_in_the_settings_are_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[taps.audiohook]\nkeys = {{ "{KEY}" = "{SECRET}" }}\n')
    for words in ((), ("--json",)):
        ran = run_here(capsys, "config", "--config", file, *words)
        assert ran.status == 0
        assert KEY in ran.out
        assert SECRET not in ran.out
    for wrong in (f'"{SECRET}"', f'["{SECRET}"]', f'{{ a = ["{SECRET}"] }}'):
        file.write_text(f"[taps.audiohook]\nkeys = {wrong}\n")
        ran = run_here(capsys, "config", "--config", file)
        assert_one_error(ran, "taps.audiohook.keys", "input should be a valid")
        assert SECRET not in ran.err
    file.write_text(f'[taps.audiohook]\nkeys = {{ "{KEY}" = "{SECRET}?" }}\n')
    ran = run_here(capsys, "serve", "--config", file, "--websocket", "127.0.0.1:0", "--no-publish")
    assert_one_error(ran, "not base64")
    assert SECRET not in ran.err
