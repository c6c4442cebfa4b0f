"""A PortAudio without devices, which does what a test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from monitor.audio import Chunk
from monitor.errors import SourceError
from monitor.sources.live_input import DeviceSource
from monitor.sources.portaudio_devices import InputDevice
from monitor.sources.pulse import PulseSource
from monitor.types import Condition

MIC = InputDevice(0, "USB mic", "ALSA", 1, 16_000, True)
STEREO = InputDevice(1, "Laptop", "ALSA", 2, 16_000, False)
PLUG_IN = InputDevice(2, "pulse", "ALSA", 32, 44_100, False)


@dataclass
class FakeStream:
    """A stream whose callback the test calls."""

    device: InputDevice
    rate: int
    channels: int
    block: int
    callback: Callable[..., None]
    on_close: Callable[[], object]
    active: bool = True
    closed: int = 0
    why: str = ""

    def close(self) -> None:
        self.closed += 1
        self.active = False
        self.on_close()

    def hear(self, blocks: int = 1, *, value: float = 0.5, overflow: bool = False, age: float = 0.0) -> None:
        for _ in range(blocks):
            samples = np.full((self.block, self.channels), value, np.float32)
            clock = SimpleNamespace(currentTime=10.0 + self.block / self.rate + age, inputBufferAdcTime=10.0)
            self.callback(samples, self.block, clock, SimpleNamespace(input_overflow=overflow))


@dataclass
class FakeBackend:
    devices: list[InputDevice] = field(default_factory=lambda: [MIC])
    streams: list[FakeStream] = field(default_factory=list)
    failures: int = 0
    refreshed: int = 0
    attempts: int = 0
    pulse: dict[int, int] = field(default_factory=dict)
    sources: dict[int, PulseSource] = field(default_factory=dict)
    gate: threading.Event | None = None

    def inputs(self) -> list[InputDevice]:
        return self.devices

    def refresh(self) -> None:
        self.refreshed += 1

    def open(self, device: InputDevice, rate: int, channels: int, block: int, callback: Any, _: Any) -> FakeStream:
        self.attempts += 1
        if self.gate is not None:
            self.gate.wait(20)
        if self.failures:
            self.failures -= 1
            raise SourceError(f"{device.name} cannot be opened: busy", "close other programs")
        index = len(self.streams)
        if self.sources:
            self.pulse[index] = next(iter(self.sources))
        stream = FakeStream(device, rate, channels, block, callback, lambda: self.pulse.pop(index, None))
        self.streams.append(stream)
        return stream

    def captures(self) -> dict[int, int]:
        return dict(self.pulse)

    def pulse_source(self, index: int) -> PulseSource | None:
        return self.sources.get(index)

    def default_source(self) -> PulseSource | None:
        return None


class Listening:
    """Iterates over a source in a thread and keeps what comes."""

    def __init__(self, source: DeviceSource) -> None:
        self.source = source
        self.items: list[Chunk | Condition] = []
        self._changed = threading.Condition()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for item in self.source.chunks():
            with self._changed:
                self.items.append(item)
                self._changed.notify_all()

    def wait(self, enough: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(enough, 10), self.conditions()

    def conditions(self) -> list[Condition]:
        return [item for item in self.items if isinstance(item, Condition)]

    def codes(self) -> list[str]:
        return [c.code for c in self.conditions()]

    def chunks(self) -> list[Chunk]:
        return [item for item in self.items if isinstance(item, Chunk)]


def until(done: Callable[[], object]) -> None:
    give_up = time.monotonic() + 10
    while not done():
        assert time.monotonic() < give_up
        time.sleep(0.01)
