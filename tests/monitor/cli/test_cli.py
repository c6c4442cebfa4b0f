"""The commands of `monitor` beside replay: what they print, for people and for programs, and how they end."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    MONITOR,
    QUICK,
    Run,
    environment,
    events_of,
    journaled,
    make_detector,
    make_weights,
    run_monitor,
    settings,
    start_monitor,
    turning_call,
    voice,
    write_wav,
)

from monitor.audio import Chunk
from monitor.config.schema import Config
from monitor.errors import SourceError
from monitor.session.watch import CallSources, watch
from monitor.sources.scripted import ScriptedSource
from training.evaluate.scoring import score_clips

pytestmark = pytest.mark.realtime


COMMANDS = ("replay", "score", "subscribe", "devices", "demo", "doctor", "config")


# Help


def test_the_help_names_every_command_and_what_it_is_for(run: Run) -> None:
    ran = run("--help")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert lines[0] == "Usage: monitor [OPTIONS] COMMAND [ARGS]..."
    for command in COMMANDS:
        line = next(line for line in lines if line.startswith(f"  {command} "))
        assert line.endswith("."), f"a whole sentence: {line}"
    assert "Exit status: 0 done" in ran.out
    assert run().out == ran.out, "without anything to do"
    assert run("-h").out == ran.out


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_option_is_explained(run: Run, command: str) -> None:
    ran = run(*command.split(), "--help")
    assert ran.status == 0
    assert ran.out.startswith("Usage: monitor")
    text = ran.out.partition("Options:\n")[2].partition("\nCommands:")[0]
    options = [line for line in text.splitlines() if line.startswith("  -")]
    assert options
    for line in options:
        _, gap, words = line.strip().partition("  ")
        assert gap, line
        assert words.strip()[0].isupper() or words.strip()[0].isdigit() or words.strip().startswith("full"), line
        assert "<" not in line, f"the name of a Python type says nothing to a user: {line}"


def test_the_version(run: Run) -> None:
    assert run("--version").out.startswith("monitor 0.")


def test_python_m_is_the_same_program(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "monitor", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=tmp_path,
    )
    assert ran.stdout == run_monitor("--version", cwd=tmp_path).stdout


# Settings


def test_the_settings_with_their_origins(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("config.toml").write_text("[alerts]\nalert_llr = 3\nclose_hold_s = 4\nalert_hold_s = 2\n")
    monkeypatch.setenv("MONITOR_ALERTS__CLOSE_HOLD_S", "6")
    monkeypatch.setenv("MONITOR_ALERTS__ALERT_HOLD_S", "3")
    ran = run("config", "--set", "alerts.alert_hold_s=1.5", "--json")
    assert ran.status == 0
    rows = {row["key"]: (row["value"], row["origin"]) for row in events_of(ran.out)}
    assert set(rows) == {key for key, _ in Config().settings()}
    assert rows["evidence.prior"] == (0.5, "default")
    assert rows["alerts.alert_llr"] == (3.0, "config.toml")
    assert rows["alerts.close_hold_s"] == (6.0, "environment variable MONITOR_ALERTS__CLOSE_HOLD_S")
    assert rows["alerts.alert_hold_s"] == (1.5, "option --set")
    table = run("config").out.splitlines()
    assert len(table) == len(rows)
    assert [line.split() for line in table if line.startswith("alerts.alert_llr")] == [
        ["alerts.alert_llr", "3.0", "config.toml"]
    ]


# Scores of whole files


def test_scores_equal_those_of_training_in_the_order_of_the_arguments(run: Run) -> None:
    make_weights(Path("w.safetensors"))
    clips = {
        "b.wav": turning_call(3, 4, 1),
        "a.wav": voice(1.5),
        "c.wav": voice(2.0, hiss=True),
        "silence.wav": voice(2.0) * 0,
    }
    for name, samples in clips.items():
        write_wav(Path(name), samples, subtype="FLOAT")
    write_wav(Path("two.wav"), np.stack([voice(2.0), voice(2.0, hiss=True)], axis=1), subtype="FLOAT")
    quick = (*settings(*QUICK), "--weights", "w.safetensors")
    ran = run("score", *clips, "two.wav", "a.wav", "--json", *quick)
    assert ran.status == 0
    assert ran.err == ""
    lines = events_of(ran.out)
    assert [(line["path"], line["channel"]) for line in lines] == [
        *((name, "mono") for name in clips),
        *(("two.wav", "left"), ("two.wav", "right"), ("a.wav", "mono")),
    ]
    expected = score_clips(
        make_detector().prepared(), [*clips.values(), voice(2.0), voice(2.0, hiss=True), clips["a.wav"]]
    )
    for line, clip in zip(lines, expected, strict=True):
        assert set(line) == {
            "path",
            "channel",
            "p_fake",
            "llr",
            "net_speech_s",
            "state",
            "families",
            "duration_s",
            "provenance",
        }
        assert line["llr"] == pytest.approx(clip.llr, abs=1e-4), line
        assert line["net_speech_s"] == pytest.approx(clip.net_speech_s, abs=0.011)
        assert line["p_fake"] == pytest.approx(1 / (1 + np.exp(-clip.llr)), abs=1e-4)
    states = ["alert", "listening", "listening", "unknown", "clear", "listening", "listening"]
    assert [line["state"] for line in lines] == states
    assert next(iter(lines[0]["families"])) == "gan-vocoder"
    assert lines[1]["duration_s"] == 1.5


def test_scores_for_people(run: Run) -> None:
    make_weights(Path("w.safetensors"), "synthetic")
    write_wav(Path("a.wav"), voice(4.0))
    ran = run("score", "a.wav", "--weights", "w.safetensors")
    assert ran.out == "a.wav  mono  p_fake 0.9975  llr +6.000  net speech 4.0 s  alert  gan-vocoder\n"


def test_more_files_than_fit_side_by_side(run: Run) -> None:
    make_weights(Path("w.safetensors"))
    names = [f"{n:02}.wav" for n in range(40)]
    for n, name in enumerate(names):
        write_wav(Path(name), np.stack([voice(0.2 + 0.01 * (n % 7), hiss=n % 3 == 0)] * (1 + n % 2), axis=1))
    lines = events_of(run("score", *names, "--json", "--weights", "w.safetensors").out)
    assert [line["path"] for line in lines] == [name for n, name in enumerate(names) for _ in range(1 + n % 2)]
    assert [line["llr"] > 0 for line in lines] == [n % 3 == 0 for n in range(40) for _ in range(1 + n % 2)]


# The state of this computer


def test_the_doctor_names_each_fault_with_what_mends_it(run: Run) -> None:
    make_weights(Path("w.safetensors"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        whole = bytearray(Path("w.safetensors").read_bytes())
        whole[-3] ^= 4
        Path("flipped.safetensors").write_bytes(whole)
        good = run("doctor", "--weights", "w.safetensors", "--publish", "tcp://127.0.0.1:*")
        bad = run("doctor", "--weights", "flipped.safetensors", "--publish", busy)
        none = run("doctor", "--weights", "none.safetensors", "--no-publish")
    assert "ok     weights" in good.out
    assert "ok     events" in good.out
    assert "ok     processor" in good.out
    assert "ok     files" in good.out
    assert "ok     credentials    c2pa-python 0." in good.out
    assert "ok     watermarks     resemble-perth 1." in good.out
    assert bad.status == 2
    lines = bad.out.splitlines()
    for fault, mend in (
        ("weights        flipped.safetensors is damaged", "--weights"),
        (f"events         {busy} is taken", "--publish tcp"),
    ):
        at = next(n for n, line in enumerate(lines) if fault in line)
        assert lines[at].startswith("fault ")
        assert lines[at + 1].strip().startswith("-> ")
        assert mend in lines[at + 1]
    assert "fault  weights        there is no weights file" in none.out
    assert "note   events" in none.out
    for ran in (good, bad, none):
        assert ran.err == ""


def test_the_doctor_on_a_device_that_is_not_there(run: Run) -> None:
    import torch

    absent = "mps" if torch.cuda.is_available() else "cuda"
    make_weights(Path("w.safetensors"))
    ran = run("doctor", "--weights", "w.safetensors", "--no-publish", "--set", f"model.device={absent}")
    assert ran.status == 2
    assert f"fault  processor      this machine has no {absent} device" in ran.out
    assert "ok     weights" in ran.out, "the weights are none the worse for it"


def test_without_a_sound_card_the_doctor_and_the_list_say_so(tmp_path: Path) -> None:
    env = environment(PULSE_SERVER="none", HOME=str(tmp_path))
    listed = run_monitor("devices", cwd=tmp_path, env=env)
    if listed.returncode == 0:
        pytest.skip("this machine has a sound card")
    assert listed.stderr.startswith("error: there is no audio input\n  plug in a microphone")
    make_weights(tmp_path / "w.safetensors")
    examined = run_monitor("doctor", "--weights", "w.safetensors", "--no-publish", cwd=tmp_path, env=env)
    assert examined.returncode == 2
    assert examined.stdout.splitlines()[0] == "fault  sound          there is no audio input"
    assert "-> plug in a microphone" in examined.stdout.splitlines()[1]


@pytest.mark.microphone
def test_with_microphones_the_doctor_and_the_list_name_them(tmp_path: Path, microphones) -> None:  # type: ignore[no-untyped-def]
    env = environment(**{k: v for k, v in microphones.env.items() if k.startswith(("PULSE", "XDG", "HOME"))})
    table = run_monitor("devices", cwd=tmp_path, env=env)
    assert table.returncode == 0
    assert table.stderr == ""
    assert table.stdout.splitlines()[-2:] == [
        "* --device mic    takes this microphone",
        "* --device system takes this system audio: what this computer plays; system=NAME another",
    ]
    inputs = events_of(run_monitor("devices", "--json", cwd=tmp_path, env=env).stdout)
    assert {"mic1", "mic2", "mic48"} <= {device["name"] for device in inputs}
    assert {"to-mic1.monitor", "to-mic2.monitor"} <= {d["name"] for d in inputs if d["kind"] == "system audio"}
    assert [d["kind"] for d in inputs if d["is_default"]] == ["microphone", "system audio"]
    make_weights(tmp_path / "w.safetensors")
    examined = run_monitor("doctor", "--weights", "w.safetensors", "--no-publish", cwd=tmp_path, env=env)
    assert examined.returncode == 0, examined.stdout
    assert "mic1" in examined.stdout.splitlines()[0]
    assert "gives exact zeros" in examined.stdout, "nobody plays anything"
    assert "-> unmute it" in examined.stdout


# Everything together


def test_a_subscriber_in_another_process_gets_what_the_journal_has(tmp_path: Path) -> None:
    make_weights(tmp_path / "w.safetensors")
    write_wav(tmp_path / "call.wav", turning_call(3.0, 4.0, 3.0))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    with start_monitor("subscribe", address, "--json", cwd=tmp_path) as subscriber:
        with start_monitor(
            *("replay", "call.wav", "--weights", "w.safetensors", "--publish", address, "--journal", "journal"),
            *("--screen", "off", "--speed", "3", *settings(*QUICK)),
            cwd=tmp_path,
        ) as monitor:
            subscriber.wait_for(lambda line: '"call.ended"' in line)
            assert monitor.end() == 0
        subscriber.wait_for(lambda line: '"stopped"' in line)
    journal = events_of(journaled(tmp_path / "journal"))
    received = {}
    for event in subscriber.events:
        if event.get("seq"):
            received[event["seq"]] = {k: v for k, v in event.items() if k not in ("prev", "snapshot")}
    assert [e["type"] for e in received.values() if e["type"].startswith("alert.")][:1] == ["alert.opened"]
    first = min(seq for seq, e in received.items() if e["type"] == "score")
    assert [received[e["seq"]] for e in journal if e["seq"] >= first] == [e for e in journal if e["seq"] >= first]
    beats = [e for e in subscriber.events if e.get("code") == "stopped"]
    assert beats[0]["last_seq"] == journal[-1]["seq"]


def test_a_source_that_fails_ends_the_program_with_its_error(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    weights = make_weights(tmp_path / "w.safetensors")
    config = Config.model_validate({"model": {"weights": str(weights)}, "zeromq": {"enabled": False}})
    chunk = Chunk(voice(1.0)[None], 0, 0.0)
    source = ScriptedSource([chunk, SourceError("the cable is cut", "mend it")])
    with pytest.raises(SourceError, match="the cable is cut"):
        watch([CallSources("call", [source])], config, json_lines=True)
    events = events_of(capfd.readouterr().out)
    assert [e["type"] for e in events][-3:] == ["health", "state.changed", "call.ended"]
    assert json.loads(json.dumps(events[-1]))["why"] == "failed"


def test_who_reads_only_a_part_hears_no_complaint(tmp_path: Path) -> None:
    shell = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {MONITOR} config | true"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert (shell.returncode, shell.stderr) == (0, "")
