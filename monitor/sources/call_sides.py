"""The sides of a call on this computer: microphones, and what it plays. Which device, which backend, which names."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from monitor.config.schema import InputSection
from monitor.errors import BadInputError
from monitor.sources import device_kind
from monitor.sources.live_input import DeviceSource
from monitor.sources.portaudio_devices import (
    DEFAULT_NAMES,
    LOOPBACK,
    InputDevice,
    Kind,
    choose_system,
    default_output,
    find_input,
    list_inputs,
)
from monitor.sources.setup_help import SEE

SYSTEM = "system"
YOU, FAR_END = "you", "far-end"


@dataclass(frozen=True, slots=True)
class RequestedInput:
    """An input that the user named. target: index, name or part of one, "" is the default of its kind."""

    kind: Kind
    target: str


def parse(text: str) -> RequestedInput:
    """Parse mic, system, system=NAME, or the name of an input; PulseAudio's monitor sources by their ending."""
    word, equals, name = text.strip().partition("=")
    if word.strip().casefold() == SYSTEM:
        if equals and not name.strip():
            raise BadInputError(f"--device {text} names nothing", "say system, or system=NAME")
        return RequestedInput("system audio", name.strip())
    played = sys.platform == "linux" and text.strip().endswith(".monitor")
    return RequestedInput("system audio" if played else "microphone", text.strip())


def open_sides(texts: Sequence[str], config: InputSection) -> list[DeviceSource]:
    """Return a source for each input that was named, in that order. Raises BadInputError; none is open then."""
    wanted = [parse(text) for text in texts]
    if repeated := _same_names([text.strip().casefold() for text in texts]):
        raise BadInputError(f"--device {repeated} stands there twice", "name each input once")
    with ExitStack() as stack:
        found = []
        for side, name in zip(wanted, side_names([w.kind for w in wanted]), strict=True):
            found.append(_open(side, name, config, alone=len(wanted) == 1))
            stack.callback(found[-1].close)
        if repeated := _same_names([source.origin for source in found]):
            hint = "name each input once; without a microphone the sound server may give what is played in its place"
            raise BadInputError(f"two of these are one input, {repeated}", hint)
        stack.pop_all()
    return found


def side_names(kinds: Sequence[Kind]) -> list[str]:
    """Return the names of the sides: mic or system; you and far-end where both are watched; numbered where several
    are."""
    both = len(set(kinds)) == 2
    words = {"microphone": YOU if both else "mic", "system audio": FAR_END if both else "system"}
    many, seen = Counter(kinds), Counter[Kind]()
    names = []
    for kind in kinds:
        seen[kind] += 1
        names.append(f"{words[kind]}-{seen[kind]}" if many[kind] > 1 else words[kind])
    return names


def _same_names(names: Sequence[str]) -> str:
    return next((name for name, count in Counter(names).items() if count > 1), "")


def _open(wanted: RequestedInput, name: str, config: InputSection, alone: bool) -> DeviceSource:
    if wanted.kind == "system audio":
        return _open_system(wanted.target, name, config)
    if wanted.target.casefold() not in DEFAULT_NAMES:
        device = find_input(wanted.target, list_inputs())
        if device.kind == "system audio":
            return _open_through(device, name, config)
    how = replace(device_kind.MICROPHONE, channel=name)
    # Of a call each party is one channel; the microphones of a laptop hear the same one.
    return DeviceSource(wanted.target, config, kind=how, channels=None if alone else 1)


def _open_system(target: str, name: str, config: InputSection) -> DeviceSource:
    if sys.platform == "linux":
        from monitor.sources.system_audio import LoopbackBackend

        how = replace(device_kind.PLAYED, channel=name)
        return DeviceSource(target or DEFAULT_NAMES[0], config, kind=how, channels=1, backend=LoopbackBackend())
    inputs = list_inputs()
    device = find_input(target, inputs) if target else choose_system(inputs, default_output())
    if device is None:
        raise BadInputError("no input carries what this computer plays", SEE)
    return _open_through(device, name, config)


def _open_through(device: InputDevice, name: str, config: InputSection) -> DeviceSource:
    how = device_kind.LOOPBACK if device.name.endswith(LOOPBACK) else device_kind.PLAYED_THROUGH
    channels = min(2, device.channels)
    return DeviceSource(str(device.index), config, kind=replace(how, channel=name), channels=channels)
