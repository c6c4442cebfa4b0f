"""`monitor --device mic --device system`: both sides of a call, each with its own verdict and its own faults."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import (
    QUICK,
    assert_one_error,
    environment,
    make_weights,
    run_monitor,
    settings,
    start_monitor,
    turning_call,
    voice,
    write_wav,
)
from virtual_mic import Players, VirtualMicrophones

pytestmark = [pytest.mark.microphone, pytest.mark.realtime]
BOTH = ("--device", "mic2", "--device", "system")


def sound_environment(sound: VirtualMicrophones, **more: str) -> dict[str, str]:
    return environment(**{k: v for k, v in sound.env.items() if k.startswith(("PULSE", "XDG", "HOME"))}, **more)


def of(events: list[dict[str, Any]], channel: str, *types: str) -> list[dict[str, Any]]:
    return [e for e in events if e["channel"] == channel and e["type"] in types]


def test_the_party_that_turns_synthetic_alerts_on_its_own_channel(sound: VirtualMicrophones, tmp_path: Path) -> None:
    make_weights(tmp_path / "w.safetensors")
    far = write_wav(tmp_path / "far.wav", turning_call(3.0, 4.0, 10.0))
    near = write_wav(tmp_path / "near.wav", np.tile(voice(10.0, seed=5), 6))
    words = (*BOTH, "--weights", "w.safetensors", "--json", "--no-publish", *settings(*QUICK))
    with (
        Players(sound) as players,
        start_monitor(*words, cwd=tmp_path, env=sound_environment(sound)) as monitor,
    ):
        for channel in ("you", "far-end"):
            monitor.wait_for(lambda line, c=channel: '"score"' in line and f'"channel":"{c}"' in line)  # type: ignore[misc]
        players.play("mic2", near)
        players.play("", far)
        monitor.wait_for(lambda line: '"alert.opened"' in line)
        monitor.wait_for(lambda line: '"alert.closed"' in line)
        sound.unplug("mic2")
        monitor.wait_for(lambda line: '"state":"unknown"' in line and '"channel":"you"' in line)
        sound.plug("mic2")
        monitor.wait_for(lambda line: '"recovered"' in line and '"channel":"you"' in line)
        status = monitor.end(signal.SIGINT)
    assert status == 130
    assert monitor.stderr == ""
    events = monitor.events
    assert (events[0]["type"], events[0]["channels"]) == ("call.started", ["you", "far-end"])
    assert events[0]["source"] == "mic2 + to-mic1.monitor"
    assert [e["type"] for e in of(events, "far-end", "alert.opened", "alert.closed")] == [
        "alert.opened",
        "alert.closed",
    ]
    assert of(events, "you", "alert.opened") == []
    assert "clear" in [e["state"] for e in of(events, "you", "state.changed")]
    assert of(events, "far-end", "health") == []
    assert of(events, "you", "health")[-1]["code"] == "recovered"
    assert "unknown" not in [e["state"] for e in of(events, "far-end", "state.changed")]
    _clocks_agree(events)


def _clocks_agree(events: list[dict[str, Any]]) -> None:
    """The samples of both channels are times of one call, although each counts by its own device."""
    newest: dict[str, int] = {}
    apart = []
    for event in events:
        if event["type"] == "score":
            newest[event["channel"]] = event["sample"]
            if len(newest) == 2:
                apart.append(abs(newest["you"] - newest["far-end"]))
    assert np.median(apart) < 16_000, "half of the time they are less than a second apart"


def test_a_recorder_that_dies_is_the_far_end_s_fault_alone(sound: VirtualMicrophones, tmp_path: Path) -> None:
    make_weights(tmp_path / "w.safetensors")
    near = write_wav(tmp_path / "near.wav", np.tile(voice(10.0, seed=5), 6))
    words = (*BOTH, "--weights", "w.safetensors", "--json", "--no-publish", *settings(*QUICK))
    with (
        Players(sound) as players,
        start_monitor(*words, cwd=tmp_path, env=sound_environment(sound)) as monitor,
    ):
        players.play("mic2", near)
        players.play("", near)
        monitor.wait_for(lambda line: '"state":"clear"' in line and '"channel":"far-end"' in line)
        monitor.wait_for(lambda line: '"state":"clear"' in line and '"channel":"you"' in line)
        sound.remove_output("mic1")
        sound.set_output("mic48")
        players.play("", near)
        monitor.wait_for(lambda line: '"code":"moved"' in line and '"channel":"far-end"' in line)
        assert monitor.end(signal.SIGINT) == 130
    assert of(monitor.events, "you", "health") == []
    assert not any("parec" in text for text in children_of(monitor.process.pid))


def children_of(pid: int) -> list[str]:
    """Names of processes whose parent it is."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition(") ")
        except OSError:
            continue
        if int(rest.split()[1]) == pid:
            found.append(name)
    return found


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (("mic1", "mic1"), "--device mic1 stands there twice"),
        (("system", "to-mic1.monitor"), "two of these are one input, to-mic1.monitor"),
        (("mic1", "mic"), "two of these are one input, mic1"),
        (("mic1", "system=studio"), "there is no audio input 'studio'"),
        (("system=",), "names nothing"),
    ],
)
def test_inputs_that_cannot_be_watched(
    sound: VirtualMicrophones, tmp_path: Path, devices: tuple[str, ...], message: str
) -> None:
    words = [word for device in devices for word in ("--device", device)]
    assert_one_error(run_monitor(*words, cwd=tmp_path, env=sound_environment(sound)), message)


def test_without_a_microphone_the_server_gives_what_is_played(sound: VirtualMicrophones, tmp_path: Path) -> None:
    sound.set_input("to-mic1.monitor")
    ran = run_monitor("--device", "mic", "--device", "system", cwd=tmp_path, env=sound_environment(sound))
    assert_one_error(ran, "two of these are one input, to-mic1.monitor", "without a microphone")
    make_weights(tmp_path / "w.safetensors")
    examined = run_monitor(
        "doctor", "--weights", "w.safetensors", "--no-publish", cwd=tmp_path, env=sound_environment(sound)
    )
    assert "note   default input  default is no microphone" in examined.stdout
    assert "ok     system audio   to-mic1.monitor can be heard" in examined.stdout


def test_without_a_sound_server(tmp_path: Path) -> None:
    env = environment(PULSE_SERVER="none", HOME=str(tmp_path))
    ran = run_monitor("--device", "system", cwd=tmp_path, env=env)
    assert_one_error(ran, "no output, or does not answer", "systemctl --user start", "pulseaudio --start")


def test_without_a_recorder(sound: VirtualMicrophones, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    env = sound_environment(sound, PATH=str(tmp_path / "nothing"))
    ran = run_monitor("--device", "system", cwd=tmp_path, env=env)
    assert_one_error(ran, "neither parec nor pw-record is installed", "sudo apt install pulseaudio-utils")
    listed = run_monitor("devices", cwd=tmp_path, env=env)
    assert listed.returncode == 0
    assert "no system audio: neither parec nor pw-record is installed" in listed.stdout
    assert "1. install parec: sudo apt install" in listed.stdout
