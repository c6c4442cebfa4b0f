"""Which input is which: lists as sounddevice returns them on Windows, macOS and Linux."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from monitor.errors import BadInputError
from monitor.sources.call_sides import RequestedInput, parse, side_names
from monitor.sources.device_kind import LOOPBACK, MICROPHONE, PLAYED
from monitor.sources.portaudio_devices import Kind, choose_system, inputs_of, kind_of
from monitor.sources.setup_help import STEPS, steps

Row = tuple[str, int, int, int, float]
"""name, host API, input channels, output channels, rate."""


def listed(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """As sounddevice.query_devices()."""
    keys = ("name", "hostapi", "max_input_channels", "max_output_channels", "default_samplerate")
    return [dict(zip(keys, row, strict=True), index=i) for i, row in enumerate(rows)]


def apis(*names: tuple[str, int, int]) -> list[dict[str, Any]]:
    """As sounddevice.query_hostapis(): name, default input, default output."""
    return [{"name": n, "default_input_device": i, "default_output_device": o} for n, i, o in names]


WINDOWS_APIS = apis(("MME", 1, 3), ("Windows WASAPI", 6, 4))
WINDOWS: tuple[Row, ...] = (
    ("Microsoft Sound Mapper - Input", 0, 2, 0, 44_100.0),
    ("Microphone (Realtek(R) Audio)", 0, 2, 0, 44_100.0),
    ("Microsoft Sound Mapper - Output", 0, 0, 2, 44_100.0),
    ("Speakers (Realtek(R) Audio)", 0, 0, 2, 44_100.0),
    ("Headphones (USB Headset)", 1, 0, 2, 48_000.0),
    ("Speakers (Realtek(R) Audio)", 1, 0, 2, 48_000.0),
    ("Microphone (USB Headset)", 1, 1, 0, 16_000.0),
)
WINDOWS_LOOPBACK: tuple[Row, ...] = (
    *WINDOWS,
    ("Speakers (Realtek(R) Audio) [Loopback]", 1, 2, 0, 48_000.0),
    ("Headphones (USB Headset) [Loopback]", 1, 2, 0, 48_000.0),
)
WINDOWS_CABLE: tuple[Row, ...] = (
    *WINDOWS,
    ("Stereo Mix (Realtek(R) Audio)", 1, 2, 0, 48_000.0),
    ("CABLE Output (VB-Audio Virtual Cable)", 1, 2, 0, 44_100.0),
)
MAC_APIS = apis(("Core Audio", 0, 1))
MAC: tuple[Row, ...] = (
    ("MacBook Pro Microphone", 0, 1, 0, 48_000.0),
    ("MacBook Pro Speakers", 0, 0, 2, 48_000.0),
    ("Microsoft Teams Audio", 0, 1, 1, 48_000.0),
    ("ZoomAudioDevice", 0, 2, 2, 48_000.0),
)
MAC_CABLE: tuple[Row, ...] = (
    *MAC,
    ("BlackHole 2ch", 0, 2, 2, 48_000.0),
    ("Multi-Output Device", 0, 0, 2, 48_000.0),
    ("Aggregate Device", 0, 3, 2, 48_000.0),
)


@pytest.mark.parametrize(
    ("host", "rows", "played_through", "chosen"),
    [
        (WINDOWS_APIS, WINDOWS, "Headphones (USB Headset)", None),
        (WINDOWS_APIS, WINDOWS_LOOPBACK, "Headphones (USB Headset)", "Headphones (USB Headset) [Loopback]"),
        (WINDOWS_APIS, WINDOWS_LOOPBACK, "Speakers (Realtek(R) Audio)", "Speakers (Realtek(R) Audio) [Loopback]"),
        (WINDOWS_APIS, WINDOWS_LOOPBACK, "", "Speakers (Realtek(R) Audio) [Loopback]"),
        (WINDOWS_APIS, WINDOWS_CABLE, "Headphones (USB Headset)", "Stereo Mix (Realtek(R) Audio)"),
        (MAC_APIS, MAC, "", None),
        (MAC_APIS, MAC_CABLE, "", "BlackHole 2ch"),
    ],
)
def test_the_input_that_carries_what_is_played(
    host: list[dict[str, Any]], rows: Sequence[Row], played_through: str, chosen: str | None
) -> None:
    found = choose_system(inputs_of(host, listed(rows), -1), played_through)
    assert (found.name if found else None) == chosen


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Speakers (Realtek(R) Audio) [Loopback]", "system audio"),
        ("BlackHole 16ch", "system audio"),
        ("Monitor of Built-in Audio Analog Stereo", "system audio"),
        ("CABLE Output (VB-Audio Virtual Cable)", "system audio"),
        ("Stereomix (Realtek(R) Audio)", "system audio"),
        ("CABLE Input (VB-Audio Virtual Cable)", "microphone"),
        ("Monitor microphone", "microphone"),
        ("Loopback microphone", "microphone"),
        ("MacBook Pro Microphone", "microphone"),
        ("ZoomAudioDevice", "microphone"),
    ],
)
def test_what_an_input_hears_is_known_by_its_name(name: str, kind: Kind) -> None:
    assert kind_of(name) == kind


def test_outputs_are_no_inputs_and_the_default_is_the_first_that_an_api_names() -> None:
    found = inputs_of(WINDOWS_APIS, listed(WINDOWS), -1)
    assert [d.name for d in found if d.is_default] == ["Microphone (Realtek(R) Audio)"]
    assert [d.index for d in found] == [0, 1, 6]
    assert [d.host_api for d in found] == ["MME", "MME", "Windows WASAPI"]
    assert [d.index for d in inputs_of(MAC_APIS, listed(MAC_CABLE), 0) if d.is_default] == [0]


@pytest.mark.parametrize(
    ("text", "platform", "wanted"),
    [
        ("mic", "linux", RequestedInput("microphone", "mic")),
        ("System", "linux", RequestedInput("system audio", "")),
        ("system=My Aggregate", "darwin", RequestedInput("system audio", "My Aggregate")),
        ("system = 3", "win32", RequestedInput("system audio", "3")),
        ("a=b", "linux", RequestedInput("microphone", "a=b")),
        ("alsa_output.usb.monitor", "linux", RequestedInput("system audio", "alsa_output.usb.monitor")),
        ("alsa_output.usb.monitor", "darwin", RequestedInput("microphone", "alsa_output.usb.monitor")),
    ],
)
def test_what_device_means(monkeypatch: pytest.MonkeyPatch, text: str, platform: str, wanted: RequestedInput) -> None:
    monkeypatch.setattr("monitor.sources.call_sides.sys.platform", platform)
    assert parse(text) == wanted


def test_system_and_nothing_behind_the_sign() -> None:
    with pytest.raises(BadInputError, match="names nothing"):
        parse("system= ")


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        ("m", ["mic"]),
        ("s", ["system"]),
        ("ms", ["you", "far-end"]),
        ("sm", ["far-end", "you"]),
        ("mm", ["mic-1", "mic-2"]),
        ("msm", ["you-1", "far-end", "you-2"]),
        ("ss", ["system-1", "system-2"]),
    ],
)
def test_the_sides_of_a_call_have_plain_names(kinds: str, names: list[str]) -> None:
    words: dict[str, Kind] = {"m": "microphone", "s": "system audio"}
    assert side_names([words[kind] for kind in kinds]) == names


def test_channels_of_one_device() -> None:
    assert MICROPHONE.names(1) == ("mic",)
    assert MICROPHONE.names(2) == ("mic-left", "mic-right")
    assert MICROPHONE.names(3) == ("mic-1", "mic-2", "mic-3")
    assert PLAYED.names(2) == LOOPBACK.names(8) == ("system",)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32", "freebsd14"])
def test_every_system_has_steps(platform: str) -> None:
    assert steps(platform)
    assert (platform in STEPS) == (platform != "freebsd14")
