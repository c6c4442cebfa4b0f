"""What no virtual microphone can be made to do: overflows, failing openings, other hosts' devices."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from fake_backend import MIC, PLUG_IN, STEREO, FakeBackend, Listening, until

from monitor.audio import Chunk
from monitor.config.schema import InputSection
from monitor.sources import live_input
from monitor.sources.device_kind import LOOPBACK
from monitor.sources.live_input import DeviceSource
from monitor.sources.portaudio_devices import InputDevice
from monitor.sources.pulse import PulseSource
from monitor.types import Condition

pytestmark = pytest.mark.realtime


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
