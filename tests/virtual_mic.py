"""A private PulseAudio with virtual microphones, in place of a sound card. Needs pulseaudio and libasound2-plugins.

What is played into a sink is heard by its microphone, sample by sample where the rates agree.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

RATES: Mapping[str, int] = {"mic1": 16_000, "mic2": 16_000, "mic48": 48_000}
PROGRAMS = ("pulseaudio", "pactl", "paplay", "parec")
_PCM = 'pcm.{name} {{ type pulse device "{name}" hint {{ show on description "virtual {name}" }} }}\n'


def missing() -> str:
    """What is not installed for virtual microphones, or ""."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"no {', '.join(absent)}"
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        return "no ALSA plug-in for PulseAudio"
    return ""


class VirtualMicrophones:
    """The server and its microphones. env: for every program that is to use them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        run, home, state = (folder / name for name in ("run", "home", "state"))
        (run / "pulse").mkdir(parents=True)
        home.mkdir()
        state.mkdir()
        run.chmod(0o700)
        (run / "pulse").chmod(0o700)
        self.socket = run / "pulse" / "native"
        self.env = os.environ | {
            "XDG_RUNTIME_DIR": str(run),
            "PULSE_RUNTIME_PATH": str(run / "pulse"),
            "PULSE_STATE_PATH": str(state),
            "PULSE_SERVER": f"unix:{self.socket}",
            "HOME": str(home),
        }
        default = "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
        (home / ".asoundrc").write_text(default + "".join(_PCM.format(name=name) for name in RATES))
        self._server: subprocess.Popen[bytes] | None = None
        self._readers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit"]
        command += ["--use-pid-file=no", "--realtime=no", "--high-priority=no", f"--log-target=file:{self.folder}/log"]
        command += ["-L", f"module-native-protocol-unix socket={self.socket} auth-anonymous=1"]
        for name, rate in RATES.items():
            command += ["-L", f"module-null-sink sink_name=to-{name} rate={rate} channels=1"]
            command += ["-L", f"module-remap-source master=to-{name}.monitor source_name={name}"]
        self._server = subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + 10
        while self._pactl("info", check=False).returncode != 0:
            if time.monotonic() > give_up:
                raise RuntimeError("PulseAudio does not start")
            time.sleep(0.05)
        self.set_input("mic1")
        self.set_output("mic1")
        # An idle null sink ticks only every 2 s; with a reader it does so as often as the reader wants.
        for name, rate in RATES.items():
            read = ["parec", f"--rate={rate}", "--channels=1", "--latency-msec=20", "-d", name]
            self._readers.append(
                subprocess.Popen(read, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )

    def stop(self) -> None:
        for process in [*self._readers, *([self._server] if self._server else [])]:
            process.kill()
            process.wait()
        self._readers, self._server = [], None

    def freeze(self) -> None:
        """The server does not run, as on an overloaded machine."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def suspend(self, name: str, suspended: bool) -> None:
        self._pactl("suspend-source", name, "1" if suspended else "0")

    def unplug(self, name: str) -> None:
        for line in self._pactl("list", "modules", "short").stdout.splitlines():
            if f"source_name={name}" in line.split():
                self._pactl("unload-module", line.split()[0])

    def plug(self, name: str) -> None:
        self._pactl("load-module", "module-remap-source", f"master=to-{name}.monitor", f"source_name={name}")

    def play(self, name: str, wav: Path) -> subprocess.Popen[bytes]:
        """Play a wav file into a microphone; "" is whatever output is the default now, as programs use it."""
        device = [f"--device=to-{name}"] if name else []
        # The server holds two seconds ahead: a player that comes late on a busy machine leaves no silence in between.
        return subprocess.Popen(["paplay", "--latency-msec=2000", *device, str(wav)], env=self.env)

    def set_output(self, name: str) -> None:
        """Make the output that a microphone hears the default one, to-NAME."""
        self._pactl("set-default-sink", f"to-{name}")

    def set_input(self, source: str) -> None:
        """Make a source, a microphone or to-NAME.monitor, the default one."""
        self._pactl("set-default-source", source)

    def remove_output(self, name: str) -> None:
        """As when a headset is unplugged. Its microphone goes with it."""
        for line in self._pactl("list", "modules", "short").stdout.splitlines():
            if f"sink_name=to-{name}" in line.split():
                self._pactl("unload-module", line.split()[0])

    def add_output(self, name: str) -> None:
        self._pactl("load-module", "module-null-sink", f"sink_name=to-{name}", f"rate={RATES[name]}", "channels=1")

    def _pactl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["pactl", *words], env=self.env, capture_output=True, text=True, check=check, timeout=10)


class Players:
    """Whatever is played until it is enough."""

    def __init__(self, sound: VirtualMicrophones) -> None:
        self._sound = sound
        self._playing: list[subprocess.Popen[bytes]] = []

    def play(self, name: str, wav: Path) -> None:
        """As VirtualMicrophones.play()."""
        self._playing.append(self._sound.play(name, wav))

    def stop(self) -> None:
        for player in self._playing:
            player.kill()
            player.wait()
        self._playing = []

    def __enter__(self) -> Players:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
