"""What the computer plays, captured through the real PulseAudio: what is heard, and what is said of each fault."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from capturing import Capturing, jumps, write_noise
from virtual_mic import Players, VirtualMicrophones

pytestmark = [pytest.mark.microphone, pytest.mark.realtime]


@pytest.fixture
def players(sound: VirtualMicrophones, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Plays noise through an output, "" is the default one, until the test is over."""
    wav = tmp_path / "noise.wav"
    write_noise(wav, 16_000, 60.0)
    with Players(sound) as playing:
        yield lambda name: playing.play(name, wav)


def recorder(capturing: Capturing) -> int:
    """The child that records, once there is one."""
    for _ in range(1000):
        for child in capturing.children():
            if Path(f"/proc/{child}/comm").read_text().strip() == "parec":
                return child
        time.sleep(0.01)
    raise AssertionError("no parec")


def gone(pid: int) -> bool:
    """Whether the process is not there any more, not even as a zombie."""
    return not Path(f"/proc/{pid}").exists()


def test_what_is_played_is_heard_sample_by_sample(sound, tmp_path):
    call = tmp_path / "call.wav"
    noise = write_noise(call, 16_000, 1.0)
    sound.set_output("mic2")
    with Capturing(sound, "system", tmp_path) as capturing:
        heard = capturing.hear(lambda: sound.play("", call))
    assert heard.shape[0] == 1
    assert np.array_equal(np.trim_zeros(heard[0]), noise)
    begun = capturing.lines[0]
    assert (begun["name"], begun["channels"]) == ("to-mic2.monitor", ["system"])
    assert jumps(capturing.chunks()) == []


@pytest.mark.parametrize("device", ["system=mic48", "to-mic48.monitor"])
def test_another_output_by_its_name(sound, players, tmp_path, device):
    with Capturing(sound, device, tmp_path) as capturing:
        players("mic48")
        capturing.loud()
        capturing.stop()
    assert capturing.lines[0]["name"] == "to-mic48.monitor"


def test_silence_is_no_fault(sound, tmp_path):
    with Capturing(sound, "system", tmp_path) as capturing:
        capturing.wait(lambda line: line.get("start", 0) > 2.5 * 16_000)  # zeros_s of the program is 1
        capturing.stop()
    assert [line for line in capturing.lines if "code" in line] == []
    assert jumps(capturing.chunks()) == []


@pytest.mark.parametrize(
    ("number", "code", "detail"),
    [(signal.SIGKILL, "device lost", "parec: killed by signal 9"), (signal.SIGSTOP, "stalled", "no audio")],
)
def test_a_recorder_that_dies_or_hangs_is_replaced(sound, players, tmp_path, number, code, detail):
    players("mic1")
    with Capturing(sound, "system", tmp_path) as capturing:
        capturing.loud()
        os.kill(first := recorder(capturing), number)
        told = capturing.condition(code)
        back = capturing.condition("recovered", after=told)
        capturing.loud(after=back)
        assert recorder(capturing) != first
        assert gone(first)
        capturing.stop()
    assert detail in capturing.lines[told - 1]["detail"]
    assert not capturing.lines[told - 1]["usable"]
    assert max(jumps(capturing.chunks())) > 0


def test_the_default_output_is_followed(sound, players, tmp_path):
    players("mic2")
    with Capturing(sound, "system", tmp_path) as capturing:
        capturing.wait(lambda line: "start" in line)
        sound.set_output("mic2")
        moved = capturing.condition("moved")
        capturing.loud(after=moved)
        capturing.stop()
    news = [line for line in capturing.lines if "code" in line]
    assert [(n["code"], n["usable"]) for n in news] == [("moved", True)]
    assert "to-mic2.monitor instead of to-mic1.monitor" in news[0]["detail"]
    assert not any(line["loud"] for line in capturing.chunks() if capturing.lines.index(line) < moved)


def test_an_output_that_was_named_is_not_left_for_the_default(sound, players, tmp_path):
    players("mic1")
    with Capturing(sound, "to-mic1.monitor", tmp_path) as capturing:
        capturing.loud()
        sound.set_output("mic2")
        seen = len(capturing.lines)
        capturing.wait(lambda line: line.get("start", 0) > 16_000 * 3, after=seen)
        capturing.stop()
    assert [line for line in capturing.lines if "code" in line] == []


def test_the_default_output_vanishes(sound, players, tmp_path):
    players("mic2")
    with Capturing(sound, "system", tmp_path) as capturing:
        capturing.wait(lambda line: "start" in line)
        sound.remove_output("mic1")
        sound.set_output("mic2")
        told = capturing.condition("moved", "device lost")
        capturing.loud(after=told)
        capturing.stop()


def test_an_output_that_was_named_vanishes_and_comes_back(sound, players, tmp_path):
    players("mic48")
    with Capturing(sound, "to-mic48.monitor", tmp_path) as capturing:
        capturing.loud()
        sound.remove_output("mic48")
        lost = capturing.condition("device lost")
        sound.add_output("mic48")
        players("mic48")
        back = capturing.condition("recovered", after=lost)
        capturing.loud(after=back)
        capturing.stop()
    assert all(not line["usable"] for line in capturing.lines[: lost - 1] if "code" in line)
    assert "no audio input" in capturing.lines[lost - 1]["detail"]


def test_a_killed_server_is_found_again(sound, players, tmp_path):
    players("mic1")
    with Capturing(sound, "system", tmp_path) as capturing:
        capturing.loud()
        sound.stop()
        lost = capturing.condition("device lost")
        sound.start()
        players("mic1")
        back = capturing.condition("recovered", after=lost)
        capturing.loud(after=back)
        capturing.stop()
    assert not capturing.lines[lost - 1]["usable"]


@pytest.mark.parametrize("stopped", [False, True])
def test_nothing_is_left_after_the_end(sound, tmp_path, stopped):
    with Capturing(sound, "system", tmp_path) as capturing:
        capturing.wait(lambda line: "start" in line)
        child = recorder(capturing)
        if stopped:
            os.kill(child, signal.SIGSTOP)
        capturing.stop()
    assert gone(child)


def test_a_program_that_crashes_leaves_no_recorder(sound, tmp_path):
    with Capturing(sound, "system", tmp_path) as capturing:
        capturing.wait(lambda line: "start" in line)
        child = recorder(capturing)
        capturing.kill()
        for _ in range(1000):
            if gone(child) or " Z " in Path(f"/proc/{child}/stat").read_text():  # whoever adopted it may not look
                return
            time.sleep(0.01)
    raise AssertionError("parec still runs")


@pytest.mark.parametrize(
    ("device", "message"), [("system=none", "there is no audio input 'none'"), ("system=to-mic", "fits several")]
)
def test_a_wrong_name_lists_the_outputs(sound, tmp_path, device, message):
    with Capturing(sound, device, tmp_path) as capturing:
        error = capturing.lines[capturing.wait(lambda line: "error" in line) - 1]
    assert message in error["error"]
    assert "to-mic1.monitor" in error["error"] + error["hint"]
    assert "to-mic48.monitor" in error["error"] + error["hint"]
    assert "-1" not in error["error"] + error["hint"]
