"""Lists the inputs of this computer, of both kinds, and the steps where one kind is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.errors import BadInputError, MonitorError
from monitor.sources.portaudio_devices import InputDevice, choose_system, default_output, list_inputs
from monitor.sources.setup_help import SEE


@dataclass(frozen=True, slots=True)
class DeviceInventory:
    """no_inputs: why PortAudio lists none. no_system: why nothing carries what is played. None = there are some."""

    inputs: tuple[InputDevice, ...]
    no_inputs: MonitorError | None
    no_system: MonitorError | None

    @property
    def system(self) -> list[InputDevice]:
        """Return the inputs that carry what is played."""
        return [d for d in self.inputs if d.kind == "system audio"]

    @property
    def microphones(self) -> list[InputDevice]:
        return [d for d in self.inputs if d.kind == "microphone"]


def read_inventory() -> DeviceInventory:
    """Read the inputs of the sound system. What is missing is in the answer, with its error."""
    found: Sequence[InputDevice] = ()
    no_inputs = no_system = None
    try:
        found = list_inputs()
    except MonitorError as error:
        no_inputs = error
    try:
        found = with_system(found)
    except MonitorError as error:
        no_system = error
    return DeviceInventory(tuple(found), no_inputs, no_system)


def with_system(inputs: Sequence[InputDevice]) -> list[InputDevice]:
    """Return those inputs and the ones that carry what is played, one of which is the default. Raises MonitorError."""
    if sys.platform == "linux":
        from monitor.sources.system_audio import outputs

        return [*inputs, *outputs()]
    chosen = choose_system(inputs, default_output()) if inputs else None
    if chosen is None:
        raise BadInputError("no input carries what this computer plays", SEE)
    return [replace(d, is_default=True) if d is chosen else d for d in inputs]
