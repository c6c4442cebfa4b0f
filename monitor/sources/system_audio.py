"""System audio on Linux: a child process records the monitor of an output, since PortAudio lists none.

parec where PulseAudio is, or PipeWire in its place; pw-record where PipeWire is alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from monitor.errors import SourceError
from monitor.sources import pulse
from monitor.sources.portaudio import Callback
from monitor.sources.portaudio_devices import InputDevice
from monitor.sources.pulse import PulseSource
from monitor.sources.setup_help import NO_PROGRAM, NO_SERVER

HOST = "PulseAudio"
PIPEWIRE = InputDevice(-1, "default output", "PipeWire", 2, 48_000, is_default=True, kind="system audio")
"""pw-record finds the default output by itself, and goes with it where it changes."""
FIRST_BYTES_S = 3.0
"""An output that nobody uses may take two seconds until it gives its first samples."""
_NO_AGE = SimpleNamespace(currentTime=0.0, inputBufferAdcTime=0.0)
_NO_STATUS = SimpleNamespace(input_overflow=False)


def outputs() -> list[InputDevice]:
    """Return the outputs that can be listened to. Raises SourceError, with what is to be done, where there are none."""
    has_parec, has_pipewire = bool(shutil.which("parec") and shutil.which("pactl")), bool(shutil.which("pw-record"))
    if not has_parec and not has_pipewire:
        raise SourceError("neither parec nor pw-record is installed", NO_PROGRAM)
    default = pulse.monitor_of(pulse.default_sink()) if has_parec else None
    found = [
        InputDevice(-1, m.name, HOST, m.channels, m.rate, is_default=m == default, kind="system audio")
        for m in (pulse.monitors() if has_parec else ())
    ]
    if not found and has_pipewire and _pipewire_runs():
        found = [PIPEWIRE]
    if not found:
        raise SourceError("the sound server has no output, or does not answer", NO_SERVER)
    return found


def _pipewire_runs() -> bool:
    """Return whether there is a socket where PipeWire's programs look for it."""
    folder = os.environ.get("PIPEWIRE_RUNTIME_DIR") or os.environ.get("XDG_RUNTIME_DIR") or ""
    return (Path(folder) / os.environ.get("PIPEWIRE_REMOTE", "pipewire-0")).is_socket()


class LoopbackBackend:
    """The backend of a source: its devices are the outputs, its streams are child processes."""

    def __init__(self) -> None:
        self._child: RecordingProcess | None = None
        self._sink = ""
        self._default: PulseSource | None = None

    def inputs(self) -> list[InputDevice]:
        return outputs()

    def refresh(self) -> None:
        """Do nothing: every list is a fresh one."""

    def open(
        self, device: InputDevice, rate: int, channels: int, block: int, callback: Callback, ended: Callable[[], None]
    ) -> RecordingProcess:
        self._child = RecordingProcess(_command(device, rate, channels), block, channels, callback, ended)
        self._child.wait(device.name)
        return self._child

    def captures(self) -> dict[int, int]:
        """Return the child process that runs now."""
        return pulse.captures(self._child.pid) if self._child is not None and self._child.active else {}

    def pulse_source(self, index: int) -> PulseSource | None:
        return pulse.source(index)

    def default_source(self) -> PulseSource | None:
        sink = pulse.default_sink()
        if sink != self._sink or self._default is None:
            self._sink, self._default = sink, pulse.monitor_of(sink)
        return self._default


def _command(device: InputDevice, rate: int, channels: int) -> list[str]:
    """Return the command that writes raw float32 samples on standard output, in pieces of about 20 ms."""
    if device.host_api == HOST:
        kind = ["--raw", "--format=float32le", "--latency-msec=20", f"--rate={rate}", f"--channels={channels}"]
        return ["parec", *kind, "--client-name=monitor", "--stream-name=what is played", f"--device={device.name}"]
    kind = ["--format=f32", "--latency=20ms", f"--rate={rate}", f"--channels={channels}"]
    return ["pw-record", *_raw(), *kind, "-P", "{ stream.capture.sink = true }", "-"]


def _raw() -> Sequence[str]:
    """Return the option of newer ones that leaves the header out; older ones do not know it."""
    try:
        output = subprocess.run(["pw-record", "--help"], capture_output=True, timeout=FIRST_BYTES_S, check=False)
    except (subprocess.SubprocessError, OSError):
        return []
    return ["--raw"] if b"--raw" in output.stdout + output.stderr else []


class RecordingProcess:
    """A child process that records, and the thread that reads from it."""

    def __init__(
        self, command: Sequence[str], block: int, channels: int, callback: Callback, ended: Callable[[], None]
    ) -> None:
        self._name, self._block, self._channels = command[0], block, channels
        self._callback, self._ended = callback, ended
        self._begun, self._error_text = threading.Event(), ""
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        try:
            # A group of its own: Ctrl-C is for the monitor, which ends the child when its last words are said.
            self._process = subprocess.Popen(command, stdin=nothing, stdout=pipe, stderr=pipe, process_group=0)
        except OSError as error:
            raise SourceError(f"{self._name} does not start: {error.strerror}", NO_PROGRAM) from error
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, name=self._name, daemon=True)
        self._reader.start()

    def wait(self, device: str) -> None:
        """Wait until the first samples are there. Raises SourceError if the child process ended instead."""
        self._begun.wait(FIRST_BYTES_S)
        if not self.active:
            self.close()
            raise SourceError(f"{device} cannot be opened: {self.why}", "see 'monitor devices'")

    @property
    def active(self) -> bool:
        return self._process.poll() is None

    @property
    def why(self) -> str:
        """Return how the child ended, in its own last words where it had any."""
        if self.active:
            return ""
        self._reader.join(1.0)
        output = self._error_text.strip().rpartition("\n")[2]
        status = self._process.returncode
        return f"ended: {self._name}: {output or (f'killed by signal {-status}' if status < 0 else f'status {status}')}"

    def close(self) -> None:
        """End the child, even one that is stopped. It has nothing that could be lost."""
        self._process.kill()
        self._process.wait()
        self._reader.join(1.0)

    def _read(self) -> None:
        stdout, stderr = self._process.stdout, self._process.stderr
        assert stdout is not None
        assert stderr is not None
        size = self._block * self._channels * 4
        with stdout, stderr:
            while len(piece := stdout.read(size)) == size:
                samples = np.frombuffer(piece, np.dtype("<f4")).reshape(-1, self._channels)
                self._callback(samples, self._block, _NO_AGE, _NO_STATUS)
                self._begun.set()
            self._error_text = stderr.read().decode(errors="replace")
        self._process.wait()
        self._ended()
        self._begun.set()
