"""Audio inputs of this computer, as PortAudio lists them: which hear the room, and which what the computer plays."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from monitor.errors import BadInputError

DEFAULT_NAMES = ("mic", "default")
"""The name that means the default input."""

Kind = Literal["microphone", "system audio"]
LOOPBACK = " [Loopback]"
"""The words that PortAudio puts behind an output's name for its WASAPI loopback (PortAudio, pull request 672)."""
_CABLES = (
    "blackhole",
    "soundflower",
    "loopback audio",
    "vb-cable",
    "cable output",
    "stereo mix",
    "stereomix",
    "what u hear",
    "wave out mix",
)
"""Names, or their beginnings, of inputs that carry what is played: virtual cables, and what sound cards call it."""

_INSTALL = {
    "linux": "install PortAudio: sudo apt install libportaudio2 (Debian, Ubuntu), "
    "sudo dnf install portaudio (Fedora), sudo pacman -S portaudio (Arch)",
    "darwin": "install PortAudio: brew install portaudio",
    "win32": "install PortAudio with its wheel: pip install --force-reinstall sounddevice",
}


@dataclass(frozen=True, slots=True)
class InputDevice:
    """index: of PortAudio, valid until the next look at the devices, -1 for none. rate: Hz, its default."""

    index: int
    name: str
    host_api: str
    channels: int
    rate: int
    is_default: bool
    kind: Kind = "microphone"


def kind_of(name: str) -> Kind:
    """Return the kind of an input, by its name."""
    bare = name.casefold()
    system = bare.endswith(LOOPBACK.casefold()) or bare.startswith("monitor of ") or bare.startswith(_CABLES)
    return "system audio" if system else "microphone"


def load_sounddevice() -> ModuleType:
    """Import sounddevice, which starts PortAudio. Raises BadInputError with the line that installs it."""
    try:
        import sounddevice
    except OSError as error:
        hint = _INSTALL.get(sys.platform, "install PortAudio (http://portaudio.com)")
        raise BadInputError(f"PortAudio is needed for microphones: {error}", hint) from error
    return sounddevice  # type: ignore[no-any-return]


def list_inputs() -> list[InputDevice]:
    """Return all inputs, in the order of PortAudio. Raises BadInputError without PortAudio or without any input."""
    sounddevice = load_sounddevice()
    try:
        apis = sounddevice.query_hostapis()
        devices = sounddevice.query_devices()
        default = sounddevice.default.device[0]
    except sounddevice.PortAudioError as error:
        raise BadInputError(f"PortAudio cannot list the devices: {error}", "restart the sound server") from error
    found = inputs_of(apis, devices, default)
    if not found:
        raise BadInputError("there is no audio input", "plug in a microphone, or start the sound server")
    return found


def inputs_of(
    apis: Sequence[Mapping[str, Any]], devices: Iterable[Mapping[str, Any]], default: int
) -> list[InputDevice]:
    """Return the inputs in what sounddevice.query_hostapis() and query_devices() return. default: index, < 0 is
    unknown."""
    if default < 0:
        default = next((a["default_input_device"] for a in apis if a["default_input_device"] >= 0), -1)
    return [
        InputDevice(
            index=int(d["index"]),
            name=str(d["name"]),
            host_api=str(apis[d["hostapi"]]["name"]),
            channels=int(d["max_input_channels"]),
            rate=round(d["default_samplerate"]),
            is_default=d["index"] == default,
            kind=kind_of(str(d["name"])),
        )
        for d in devices
        if d["max_input_channels"] > 0
    ]


def default_output() -> str:
    """Return the name of the output that WASAPI plays through, "" elsewhere. Raises BadInputError without PortAudio."""
    sounddevice = load_sounddevice()
    apis = [a for a in sounddevice.query_hostapis() if a["name"] == "Windows WASAPI"]
    index = apis[0]["default_output_device"] if apis else -1
    return str(sounddevice.query_devices(index)["name"]) if index >= 0 else ""


def choose_system(inputs: Sequence[InputDevice], played_through: str) -> InputDevice | None:
    """Return the input that carries what is played: the loopback of that output, else any loopback, else a virtual
    cable."""
    system = [d for d in inputs if d.kind == "system audio"]
    own = [d for d in system if d.name == played_through + LOOPBACK]
    loopbacks = [d for d in system if d.name.endswith(LOOPBACK)]
    return next(iter([*own, *loopbacks, *system]), None)


def find_input(target: str, inputs: Sequence[InputDevice]) -> InputDevice:
    """Return the device of an index, an exact name, or a part of one name; "mic" and "default" are the default input.

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
    return ", ".join(d.name if d.index < 0 else f"{d.index} {d.name}" for d in inputs)
