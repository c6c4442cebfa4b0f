"""What the computer plays where there is PipeWire and no PulseAudio: pw-record in a real, private PipeWire.

Its D-Bus, PipeWire and WirePlumber are children of the test: no session, no systemd.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from capturing import Capturing, write_noise

PROGRAMS = ("parec", "pactl", "pipewire", "wireplumber", "pw-cli", "pw-play", "pw-record", "pw-metadata", "dbus-daemon")
ABSENT = [program for program in PROGRAMS if shutil.which(program) is None]
pytestmark = [
    pytest.mark.microphone,
    pytest.mark.realtime,
    pytest.mark.skipif(bool(ABSENT), reason=f"no {', '.join(ABSENT)}"),
]
START_S = 20.0


class PipeWire:
    """A server with the outputs to-a, which is the default one, and to-b. env: for programs that are to use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("run", "home", "only"):
            (folder / name).mkdir(mode=0o700, parents=True)
        self.show("pw-record")
        self._all = os.environ | {"XDG_RUNTIME_DIR": str(folder / "run"), "HOME": str(folder / "home")}
        self.env = self._all | {"PATH": str(folder / "only"), "PULSE_SERVER": "none"}
        self._running: list[subprocess.Popen[str]] = []

    def show(self, program: str) -> None:
        """Let programs find it."""
        (self.folder / "only" / program).symlink_to(str(shutil.which(program)))

    def start(self) -> None:
        bus = self._begin("dbus-daemon", "--session", "--nofork", "--print-address=1")
        assert bus.stdout is not None
        self._all["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        self._begin("pipewire")
        self._until("core.name", "pw-cli", "info", "0")
        for name in ("to-a", "to-b"):
            node = "factory.name=support.null-audio-sink media.class=Audio/Sink object.linger=true"
            self._ask("pw-cli", "create-node", "adapter", f"{{ node.name={name} {node} audio.position=[MONO] }}")
        self._begin("wireplumber")
        self.set_output("to-a")

    def set_output(self, name: str) -> None:
        value = f'{{ "name": "{name}" }}'
        self._until(
            "Found", "pw-metadata", "0", "default.configured.audio.sink", value, "Spa:String:JSON"
        )  # "default" metadata belongs to WirePlumber, which takes a moment
        self._until(f'default.audio.sink\' value:\'{{"name":"{name}"}}', "pw-metadata", "0")

    def play(self, wav: Path, *target: str) -> subprocess.Popen[str]:
        return self._begin("pw-play", *target, str(wav))

    def stop(self) -> None:
        for process in reversed(self._running):
            process.kill()
            process.communicate()

    def _begin(self, *command: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE if command[0] == "dbus-daemon" else subprocess.DEVNULL
        self._running.append(
            subprocess.Popen(command, env=self._all, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        )
        return self._running[-1]

    def _ask(self, *command: str) -> str:
        done = subprocess.run(command, env=self._all, capture_output=True, text=True, timeout=START_S, check=False)
        return done.stdout + done.stderr

    def _until(self, wanted: str, *command: str) -> None:
        give_up = time.monotonic() + START_S
        while wanted not in (result := self._ask(*command)):
            assert time.monotonic() < give_up, result
            time.sleep(0.05)


@pytest.fixture
def pipewire(tmp_path: Path) -> Iterator[PipeWire]:
    server = PipeWire(tmp_path / "pipewire")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("tools", [(), ("parec", "pactl")], ids=["pw-record", "and parec without its server"])
def test_what_is_played_is_heard_wherever_it_is_played(
    pipewire: PipeWire, tmp_path: Path, tools: tuple[str, ...]
) -> None:
    for tool in tools:
        pipewire.show(tool)
    wav = tmp_path / "noise.wav"
    write_noise(wav, 48_000, 60.0)
    with Capturing(pipewire, "system", tmp_path) as capturing:
        capturing.wait(lambda line: "start" in line)
        pipewire.play(wav, "--target", "to-b")
        pipewire.set_output("to-b")
        capturing.loud()
        [child] = capturing.children()
        os.kill(child, signal.SIGKILL)
        lost = capturing.condition("device lost")
        back = capturing.condition("recovered", after=lost)
        capturing.loud(after=back)
        capturing.stop()
    assert (capturing.lines[0]["name"], capturing.lines[0]["channels"]) == ("default output", ["system"])
    assert "pw-record: killed by signal 9" in capturing.lines[lost - 1]["detail"]


def test_a_capture_is_what_was_played(pipewire: PipeWire, tmp_path: Path) -> None:
    tone = 0.25 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    wav = tmp_path / "tone.wav"
    sf.write(wav, np.concatenate([np.zeros(9600), tone, np.zeros(9600)]), 48_000)
    with Capturing(pipewire, "system", tmp_path) as capturing:
        heard = capturing.hear(lambda: pipewire.play(wav))[0]
    middle = heard[np.flatnonzero(np.abs(heard) > 0.01)[0] :][1600:12_800]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    # On a busy machine a PipeWire without real-time priority loses some periods itself.
    assert np.argmax(spectrum) == pytest.approx(440 * middle.size / 16_000, abs=3)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.25 / np.sqrt(2), abs=0.03)
