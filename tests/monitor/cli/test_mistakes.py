"""Mistakes on the command line: each is one clear error at once, with status 2."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import Run, assert_one_error, voice, write_wav

from monitor.cli.subscribe_output import TextLines
from monitor.events.wire import Message
from monitor.types import Event


def test_recordings_to_calibrate_with_that_are_not_there(run: Run) -> None:
    assert_one_error(run("calibrate", "--genuine", "nonexistent"), "there is no nonexistent", "folder")


def test_a_state_file_in_a_folder_that_is_not_there(run: Run) -> None:
    ran = run("subscribe", "tcp://127.0.0.1:9", "--state", "none/state", "--timeout", "1")
    assert_one_error(ran, "state none/state cannot be written", "directory")


def test_weights_with_a_misspelt_name(run: Run, tmp_path: Path) -> None:
    write_wav(tmp_path / "call.wav", voice(1.0))
    assert_one_error(run("score", "call.wav", "--weights", "defualt"), "defualt", "did you mean --weights default?")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("MONITOR_ALERT_LLR", "did you mean MONITOR_ALERTS__ALERT_LLR?"),
        ("MONITOR_ALERTS_ALERT_LLR", "did you mean MONITOR_ALERTS__ALERT_LLR?"),
        ("MONITOR_ALERTS__ALERT_LR", "did you mean alerts.alert_llr?"),
    ],
)
def test_an_environment_variable_that_is_no_setting(
    name: str, hint: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "3")
    assert_one_error(run("config"), name, hint)


def test_a_file_that_is_no_journal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("this is not a journal\n" * 3)
    assert_one_error(run("verify", "notes.txt"), "notes.txt is not a journal", "journal.path")
    write_wav(tmp_path / "call.wav", voice(1.0))
    assert_one_error(run("verify", "call.wav"), "call.wav is not a journal", "journal.path")


def test_a_host_that_is_not_known(run: Run) -> None:
    ran = run("serve", "--rtp", "nosuch.invalid:5004", "--no-publish")
    assert_one_error(ran, "the host nosuch.invalid is not known", "check the name")


def test_a_publisher_whose_host_is_not_known_is_waited_for_with_the_reason(run: Run) -> None:
    ran = run("subscribe", "tcp://nosuch.invalid:5556", "--timeout", "0.8")
    assert "waiting for tcp://nosuch.invalid:5556: the host nosuch.invalid is not known" in ran.err


@pytest.mark.realtime
@pytest.mark.parametrize("after_s", [0.4, 1.2])
def test_ctrl_c_while_it_starts_prints_no_traceback(after_s: float, tmp_path: Path) -> None:
    write_wav(tmp_path / "call.wav", voice(60.0))
    words = [sys.executable, "-m", "monitor", "replay", "call.wav", "--no-publish", "--screen", "off"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "monitor" not in Path(f"/proc/{process.pid}/cmdline").read_text():
        time.sleep(0.01)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    assert out == ""
    assert process.returncode in (130, -signal.SIGINT)


@pytest.mark.parametrize("with_changes", [False, True])
def test_a_pipe_gets_a_line_for_each_change_of_state_and_no_more(with_changes: bool) -> None:
    out = io.StringIO()
    lines = TextLines(out)
    before = "listening"
    for seq, state in enumerate(["listening"] * 50 + ["clear"] * 50 + ["alert"] * 50, 1):
        lines.item(message("score", {"state": state, "reason": "speech", "p_fake": 0.5}, seq))
        if with_changes and state != before:
            lines.item(message("state.changed", {"state": state, "from": before, "why": "so", "p_fake": 0.5}, seq))
        before = state
    lines.close()
    result = out.getvalue().splitlines()
    assert len(result) == 3
    assert ["p_fake" in line for line in result] == [False, True, True], "no verdict, no number"
    for line, state in zip(result, ("listening", "clear", "alert"), strict=True):
        assert state in line


def message(kind: str, data: dict[str, object], seq: int) -> Message:
    return Message(f"{kind}.call.left", Event(kind, "call", "left", seq * 640, data, seq, "e"), 0, False, b"{}")
