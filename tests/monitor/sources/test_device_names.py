"""Devices by index, name and part, as they are opened, and one error for each that cannot be."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_backend import MIC, PLUG_IN, STEREO, FakeBackend, until

from monitor.config.schema import InputSection
from monitor.errors import BadInputError
from monitor.sources import device_stream, live_input
from monitor.sources.live_input import DeviceSource
from monitor.sources.portaudio_devices import InputDevice, find_input
from monitor.sources.pulse import PulseSource

pytestmark = pytest.mark.realtime
ROOT = Path(__file__).parents[3]


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
