"""Exact steps, by operating system, that let the monitor record what the computer plays."""

from __future__ import annotations

from collections.abc import Mapping

NO_PROGRAM = (
    "install parec: sudo apt install pulseaudio-utils (Debian, Ubuntu), "
    "sudo dnf install pulseaudio-utils (Fedora), sudo pacman -S libpulse (Arch)"
)
NO_SERVER = (
    "start it: systemctl --user start pipewire pipewire-pulse wireplumber (PipeWire), pulseaudio --start (PulseAudio)"
)
SEE = "'monitor devices' prints the steps that make one"

STEPS: Mapping[str, tuple[str, ...]] = {
    "linux": (NO_PROGRAM, NO_SERVER),
    "darwin": (
        "brew install blackhole-2ch, then start the computer again",
        "open -a 'Audio MIDI Setup': + > Create Multi-Output Device, tick your headphones first, then BlackHole 2ch",
        "System Settings > Sound > Output: choose the Multi-Output Device, and as the call's speaker",
        "monitor --device mic --device system",
    ),
    "win32": (
        "Settings > System > Sound > More sound settings > Recording: right-click, tick Show Disabled Devices, "
        "then enable Stereo Mix",
        "no Stereo Mix there? Install VB-CABLE (https://vb-audio.com/Cable), choose CABLE Input as the speaker of the "
        "call, and in Recording > CABLE Output > Properties > Listen your headphones",
        "monitor --device mic --device system",
    ),
}
"""Steps by sys.platform. Windows: PortAudio gives WASAPI loopback inputs from its development version on only, which
the package sounddevice does not bring (python-sounddevice, issue 510).
"""


def steps(platform: str) -> tuple[str, ...]:
    """Return the steps in order; none for other platforms."""
    return STEPS.get(
        platform, ("give the sound system an input that carries what is played, and name it: system=NAME",)
    )
