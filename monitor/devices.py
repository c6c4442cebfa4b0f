"""Audio inputs of this computer, as PortAudio lists them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from monitor.errors import BadInputError

DEFAULT_NAMES = ("mic", "default")
"""What stands for the default input."""

_INSTALL = {
    "linux": "install PortAudio: sudo apt install libportaudio2 (Debian, Ubuntu), "
    "sudo dnf install portaudio (Fedora), sudo pacman -S portaudio (Arch)",
    "darwin": "install PortAudio: brew install portaudio",
    "win32": "install PortAudio with its wheel: pip install --force-reinstall sounddevice",
}


@dataclass(frozen=True, slots=True)
class InputDevice:
    """index: of PortAudio, valid until the next look at the devices. rate: Hz, its default."""

    index: int
    name: str
    host_api: str
    channels: int
    rate: int
    is_default: bool


def load_sounddevice() -> ModuleType:
    """Import sounddevice, which starts PortAudio. Raises BadInputError with the line that installs it."""
    try:
        import sounddevice
    except OSError as error:
        hint = _INSTALL.get(sys.platform, "install PortAudio (http://portaudio.com)")
        raise BadInputError(f"PortAudio is needed for microphones: {error}", hint) from error
    return sounddevice  # type: ignore[no-any-return]


def list_inputs() -> list[InputDevice]:
    """All inputs, in the order of PortAudio. Raises BadInputError without PortAudio or without any input."""
    sounddevice = load_sounddevice()
    try:
        apis = sounddevice.query_hostapis()
        devices = sounddevice.query_devices()
        default = sounddevice.default.device[0]
    except sounddevice.PortAudioError as error:
        raise BadInputError(f"PortAudio cannot list the devices: {error}", "restart the sound server") from error
    if default < 0:
        default = next((a["default_input_device"] for a in apis if a["default_input_device"] >= 0), -1)
    found = [
        InputDevice(
            index=int(d["index"]),
            name=str(d["name"]),
            host_api=str(apis[d["hostapi"]]["name"]),
            channels=int(d["max_input_channels"]),
            rate=round(d["default_samplerate"]),
            is_default=d["index"] == default,
        )
        for d in devices
        if d["max_input_channels"] > 0
    ]
    if not found:
        raise BadInputError("there is no audio input", "plug in a microphone, or start the sound server")
    return found


def find_input(target: str, inputs: Sequence[InputDevice]) -> InputDevice:
    """The device of an index, an exact name, or a part of one name; "mic" and "default" are the default input.

    Upper and lower case are the same. A name that several host APIs list means the first of them. Raises
    BadInputError that lists what there is.
    """
    wanted = target.strip().casefold()
    if wanted in DEFAULT_NAMES:
        return next((d for d in inputs if d.is_default), inputs[0])
    if wanted.isdecimal():
        matches = [d for d in inputs if d.index == int(wanted)]
    else:
        matches = [d for d in inputs if d.name.casefold() == wanted]
        matches = matches or [d for d in inputs if wanted and wanted in d.name.casefold()]
    if not matches:
        raise BadInputError(f"there is no audio input {target!r}", f"choose one of: {_names(inputs)}")
    if len({d.name for d in matches}) > 1:
        raise BadInputError(f"{target!r} fits several audio inputs: {_names(matches)}", "name one, or use its number")
    return matches[0]


def _names(inputs: Sequence[InputDevice]) -> str:
    return ", ".join(f"{d.index} {d.name}" for d in inputs)
