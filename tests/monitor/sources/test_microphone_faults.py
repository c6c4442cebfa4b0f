"""What no virtual microphone can be made to do: overflows, failing openings, other hosts' devices."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from monitor.audio import Chunk
from monitor.config.schema import InputSection
from monitor.errors import BadInputError, SourceError
from monitor.sources import device_stream, live_input
from monitor.sources.device_kind import LOOPBACK
from monitor.sources.live_input import DeviceSource
from monitor.sources.portaudio_devices import InputDevice, find_input
from monitor.sources.pulse import PulseSource
from monitor.types import Condition

pytestmark = pytest.mark.realtime

MIC = InputDevice(0, "USB mic", "ALSA", 1, 16_000, True)
STEREO = InputDevice(1, "Laptop", "ALSA", 2, 16_000, False)
PLUG_IN = InputDevice(2, "pulse", "ALSA", 32, 44_100, False)
ROOT = Path(__file__).parents[3]


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


@pytest.fixture
def listen() -> Iterator[Callable[..., Listening]]:
    made: list[Listening] = []

    def start(backend: FakeBackend, device: str = "mic", config: InputSection | None = None, **kw: Any) -> Listening:
        config = config or InputSection(reconnect_first_s=0.05, reconnect_longest_s=0.2)
        made.append(Listening(DeviceSource(device, config, backend=backend, **kw)))
        return made[-1]

    yield start
    for listening in made:
        listening.source.close()
        listening.thread.join(5)
        assert not listening.thread.is_alive()


def test_overflows_are_counted_and_told_but_not_for_each_block(listen):
    backend = FakeBackend()
    listening = listen(backend)
    for _ in range(20):
        backend.streams[0].hear(overflow=True)
    listening.wait(lambda: len(listening.chunks()) == 20)
    assert 1 <= listening.codes().count("overflow") <= 2
    assert all(c.usable for c in listening.conditions())
    time.sleep(live_input.OVERFLOW_EVERY_S)
    backend.streams[0].hear()
    listening.wait(lambda: any(c.detail.startswith("20 times") for c in listening.conditions()))


def test_blocks_that_nobody_takes_are_dropped_counted_and_jumped():
    backend = FakeBackend()
    source = DeviceSource("mic", InputSection(ring_s=0.1), backend=backend)
    items = source.chunks()
    stream = backend.streams[0]
    threading.Timer(0.2, stream.hear).start()
    first = next(items)
    assert isinstance(first, Chunk)
    stream.hear(30)  # ring_s holds 10 blocks
    heard = [next(items) for _ in range(11)]
    overflow = [item for item in heard if isinstance(item, Condition)]
    assert [c.code for c in overflow] == ["overflow"]
    assert "0.20 s" in overflow[0].detail
    stream.hear()
    after = next(item for item in items if isinstance(item, Chunk))
    assert after.start == 31 * 160
    source.close()


def test_what_was_dropped_before_anybody_listened_is_never_told(monkeypatch):
    """A program that loads for seconds after it opened the device, then a stream that is given up."""
    monkeypatch.setattr("monitor.sources.device_stream.ROUTE_EVERY_S", 0.01)
    backend = FakeBackend(sources={7: PulseSource("card", 16_000, 1), 8: PulseSource("webcam", 16_000, 1)})
    source = DeviceSource("usb", InputSection(ring_s=0.1, reconnect_first_s=0.05), backend=backend)
    backend.streams[0].hear(30)  # ring_s holds 10 blocks
    listening = Listening(source)
    backend.streams[0].hear()
    listening.wait(listening.chunks)
    backend.pulse = dict.fromkeys(backend.pulse, 8)

    def moved() -> bool:
        backend.streams[0].hear()
        return "moved" in listening.codes()

    until(moved)
    until(lambda: len(backend.streams) == 2)
    source.close()
    listening.thread.join(5)
    assert "overflow" not in listening.codes()


def test_captured_at_is_the_age_of_the_last_sample(listen):
    backend = FakeBackend()
    listening = listen(backend)
    before = time.monotonic()
    backend.streams[0].hear(age=0.1)
    listening.wait(listening.chunks)
    assert before - 0.1 <= listening.chunks()[0].captured_at <= time.monotonic() - 0.1
    backend.streams[0].hear(age=-5.0)  # nonsense
    listening.wait(lambda: len(listening.chunks()) == 2)
    assert listening.chunks()[1].captured_at >= before


def test_a_lost_device_is_tried_until_it_is_back(listen):
    backend = FakeBackend()
    listening = listen(backend)
    backend.streams[0].hear()
    listening.wait(listening.chunks)
    backend.failures = 5
    backend.streams[0].active = False
    until(lambda: len(backend.streams) == 2)
    backend.streams[1].hear()
    listening.wait(lambda: len(listening.chunks()) == 2)
    assert listening.codes() == ["device lost", "recovered"]
    assert [c.usable for c in listening.conditions()] == [False, True]
    assert backend.streams[0].closed == 1
    assert backend.refreshed == 3
    first, second = listening.chunks()
    assert second.start > first.start + 160
    assert second.start / 16_000 == pytest.approx(second.captured_at - first.captured_at, abs=0.1)


def test_a_device_is_found_again_by_its_name(listen):
    backend = FakeBackend([MIC, STEREO])
    listening = listen(backend, "1")
    backend.streams[0].hear()
    listening.wait(listening.chunks)
    backend.devices = [STEREO, MIC]
    backend.streams[0].active = False
    until(lambda: len(backend.streams) == 2)
    assert backend.streams[1].device == STEREO


def test_the_default_input_may_come_back_with_fewer_channels(listen):
    stereo = InputDevice(0, "Headset", "ALSA", 2, 16_000, True)
    backend = FakeBackend([stereo])
    listening = listen(backend)
    assert listening.source.channels == ("mic-left", "mic-right")
    backend.streams[0].hear()
    listening.wait(listening.chunks)
    backend.devices = [MIC]
    backend.streams[0].active = False
    until(lambda: len(backend.streams) == 2)
    backend.streams[1].hear(value=0.25)
    listening.wait(lambda: len(listening.chunks()) == 2)
    assert np.array_equal(listening.chunks()[1].samples, np.full((2, 160), 0.25, np.float32))


def test_zeros_of_unknown_origin_are_answered_by_one_reopening(listen):
    backend = FakeBackend()
    listening = listen(backend, config=InputSection(zeros_s=0.05, reconnect_first_s=0.05))
    backend.streams[0].hear(10, value=0.0)
    until(lambda: len(backend.streams) == 2)
    backend.streams[1].hear(10, value=0.0)
    backend.streams[1].hear(1)
    listening.wait(lambda: "recovered" in listening.codes())
    assert listening.codes() == ["zeros", "recovered"]
    assert len(backend.streams) == 2


def test_zeros_of_the_right_source_are_only_told(listen):
    backend = FakeBackend(sources={7: PulseSource("card", 16_000, 1)})
    listening = listen(backend, config=InputSection(zeros_s=0.05))
    backend.streams[0].hear(10, value=0.0)
    listening.wait(lambda: len(listening.chunks()) == 10)
    assert listening.codes() == ["zeros"]
    assert len(backend.streams) == 1


@pytest.mark.parametrize(("device", "usable"), [("mic", True), ("pulse", True), ("usb", False)])
def test_a_move_is_a_fault_for_a_device_that_was_named(listen, monkeypatch, device, usable):
    monkeypatch.setattr("monitor.sources.device_stream.ROUTE_EVERY_S", 0.01)
    card = PulseSource("card", 16_000, 1)
    backend = FakeBackend([MIC, PLUG_IN], sources={7: card, 8: PulseSource("webcam", 16_000, 1)})
    listening = listen(backend, device)
    count = len(backend.streams)
    backend.pulse = dict.fromkeys(backend.pulse, 8)

    def heard() -> bool:
        backend.streams[-1].hear()
        return "moved" in listening.codes()

    until(heard)
    moved = listening.conditions()[0]
    assert moved.usable is usable
    assert "webcam" in moved.detail
    if not usable:
        until(lambda: len(backend.streams) > count)


def test_a_loopback_that_gives_nothing_is_silent_not_stalled(listen):
    backend = FakeBackend()
    listening = listen(backend, config=InputSection(stall_ms=100), kind=LOOPBACK)
    backend.streams[0].hear()
    listening.wait(lambda: sum(c.samples.shape[1] for c in listening.chunks()) > 8_000)
    backend.streams[0].hear()
    listening.wait(lambda: [c.samples.any() for c in listening.chunks()].count(True) == 2)
    assert listening.conditions() == []
    chunks = listening.chunks()
    assert [c.start for c in chunks[1:]] == [c.start + c.samples.shape[1] for c in chunks[:-1]]
    assert listening.source.channels == ("system",)
    backend.streams[0].active = False
    listening.wait(lambda: listening.codes() == ["device lost"])


def test_pulseaudio_knows_the_true_rate_and_channels(listen):
    backend = FakeBackend([PLUG_IN], sources={3: PulseSource("headset", 48_000, 2)})
    listening = listen(backend)
    assert [(s.rate, s.channels, s.closed) for s in backend.streams] == [(44_100, 1, 1), (48_000, 2, 0)]
    assert listening.source.channels == ("mic-left", "mic-right")


@pytest.mark.parametrize(
    ("device", "options", "opened"),
    [
        ("mic", {}, (16_000, 1)),
        ("laptop", {}, (16_000, 2)),
        ("pulse", {}, (44_100, 1)),
        ("pulse", {"channels": 4, "rate": 48_000}, (48_000, 4)),
        ("laptop", {"channels": 1}, (16_000, 1)),
    ],
)
def test_rate_and_channels_are_the_device_s_own_or_as_asked(device, options, opened):
    backend = FakeBackend([MIC, STEREO, PLUG_IN])
    source = DeviceSource(device, InputSection(), backend=backend, **options)
    assert (backend.streams[0].rate, backend.streams[0].channels) == opened
    assert len(source.channels) == opened[1]
    source.close()
    assert backend.streams[0].closed == 1


def test_more_channels_than_the_configuration_allows():
    with pytest.raises(BadInputError, match="9 microphone channels"):
        DeviceSource("mic", InputSection(), channels=9, backend=FakeBackend())


def test_a_busy_device_is_one_error():
    with pytest.raises(BadInputError, match="busy") as caught:
        DeviceSource("mic", InputSection(), backend=FakeBackend(failures=1))
    assert caught.value.hint == "close other programs"


def test_a_sound_server_that_does_not_answer(listen, monkeypatch):
    monkeypatch.setattr(live_input, "ANSWER_WAIT_S", 0.1)
    backend = FakeBackend()
    listening = listen(backend)
    backend.gate = threading.Event()
    backend.streams[0].hear()
    listening.wait(listening.chunks)
    backend.streams[0].active = False
    listening.wait(lambda: "device lost" in listening.codes())
    until(lambda: backend.attempts == 2)
    time.sleep(0.5)
    assert backend.attempts == 2, "one thread at a time waits for the server"
    listening.source.close()
    listening.thread.join(2)
    assert not listening.thread.is_alive()
    backend.gate.set()  # too late: what was opened is closed again
    until(lambda: len(backend.streams) == 2 and backend.streams[1].closed)


def test_the_first_opening_is_bounded(monkeypatch):
    monkeypatch.setattr(device_stream, "OPEN_WAIT_S", 0.1)
    backend = FakeBackend(gate=threading.Event())
    with pytest.raises(BadInputError, match="does not answer"):
        DeviceSource("mic", InputSection(), backend=backend)
    assert backend.gate is not None
    backend.gate.set()


@pytest.mark.parametrize(
    ("target", "index"), [("mic", 0), ("default", 0), ("1", 1), ("LAPTOP", 1), ("puls", 2), (" usb mic ", 0)]
)
def test_devices_by_index_name_and_part(target, index):
    assert find_input(target, [MIC, STEREO, PLUG_IN]).index == index


def test_an_exact_name_wins_over_parts():
    other = InputDevice(3, "pulse monitor", "ALSA", 1, 16_000, False)
    assert find_input("pulse", [other, PLUG_IN]) == PLUG_IN


def test_a_name_in_several_host_apis_is_one_device():
    again = InputDevice(4, "USB mic", "OSS", 1, 16_000, False)
    assert find_input("usb", [MIC, again]) == MIC


@pytest.mark.parametrize(("target", "message"), [("p", "several"), ("", "no audio input"), ("9", "no audio input")])
def test_wrong_names_list_the_inputs(target, message):
    with pytest.raises(BadInputError, match=message) as caught:
        find_input(target, [STEREO, PLUG_IN, InputDevice(5, "Phone", "ALSA", 1, 8_000, False)])
    assert "5 Phone" in caught.value.message + caught.value.hint


PRINT_ERROR = """
from monitor.sources.portaudio_devices import list_inputs
from monitor.errors import BadInputError
try:
    list_inputs()
except BadInputError as error:
    print(error.message, "|", error.hint)
"""


def printed_error(path: Path, home: Path) -> str:
    environment = {"PYTHONPATH": f"{path}:{ROOT}", "HOME": str(home), "PULSE_SERVER": f"unix:{home}/none"}
    command = [sys.executable, "-c", PRINT_ERROR]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_portaudio_is_missing(tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    result = printed_error(tmp_path, tmp_path)
    assert "PortAudio library not found" in result
    assert "| install PortAudio" in result


@pytest.mark.skipif(Path("/dev/snd").exists(), reason="this computer has a sound card")
def test_no_device_at_all(tmp_path):
    result = printed_error(ROOT, tmp_path)
    assert "no audio input" in result or "PortAudio" in result
