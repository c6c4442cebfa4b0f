"""The kinds of input, microphone and system audio: their names, and what is normal for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """The normal behaviour of an input.

    channel: what its channel is called. zeros: what exact zeros for long mean, "" where they are plain silence.
    mix: its channels are heard as one. rests: while it is silent nothing comes at all, which is no stall (WASAPI
    loopback). follows: where the default changes, the capture goes with it.
    """

    channel: str
    zeros: str = ""
    mix: bool = False
    rests: bool = False
    follows: bool = False

    def names(self, count: int) -> tuple[str, ...]:
        """Return the names of so many channels of a device: mic; mic-left and mic-right; mic-1, mic-2 ..."""
        if count == 1 or self.mix:
            return (self.channel,)
        sides = ("left", "right") if count == 2 else tuple(str(i + 1) for i in range(count))
        return tuple(f"{self.channel}-{side}" for side in sides)


MICROPHONE = DeviceKind(
    "mic",
    zeros="exact zeros instead of sound: muted, moved to a dead device, or (macOS) no permission in "
    "System Settings > Privacy & Security > Microphone",
)
PLAYED = DeviceKind("system", mix=True, follows=True)
"""A monitor source of PulseAudio or PipeWire: it runs on through silence."""
PLAYED_THROUGH = DeviceKind("system", mix=True)
"""A virtual cable (BlackHole, VB-CABLE, Stereo Mix): its default is named by the user, who plays into it."""
LOOPBACK = DeviceKind("system", mix=True, rests=True)
"""WASAPI loopback."""
