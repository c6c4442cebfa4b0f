"""`monitor devices`: the inputs that --device takes, and how to get the ones that are missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from monitor.cli.options import JsonOnly

if TYPE_CHECKING:
    from monitor.errors import MonitorError
    from monitor.sources.portaudio_devices import InputDevice


def devices(json_lines: JsonOnly = False) -> None:
    """List the inputs that --device takes, by number or name: microphones, and system audio (what this computer plays).

    If there is none of a kind, the steps that set one up are printed.
    """
    from monitor.sources.inventory import read_inventory
    from monitor.sources.setup_help import steps

    found = read_inventory()
    if not found.inputs and found.no_inputs is not None:
        raise found.no_inputs
    if json_lines:
        for device in found.inputs:
            print(json.dumps(asdict(device)))
        return
    _table(found.inputs)
    if found.no_inputs is not None:
        _missing("microphone", found.no_inputs, [found.no_inputs.hint])
    if found.no_system is not None:
        _missing("system audio", found.no_system, steps(sys.platform))


def _table(inputs: Sequence[InputDevice]) -> None:
    width = max(len(d.name) for d in inputs)
    print(f"   #  {'name':<{width}}  hears         channels      rate  host API")
    for d in inputs:
        mark, number = "*" if d.is_default else " ", "-" if d.index < 0 else d.index
        print(f"{mark} {number:>2}  {d.name:<{width}}  {d.kind:<12}  {d.channels:8}  {d.rate:5} Hz  {d.host_api}")
    for kind, word, what in (
        ("microphone", "mic", "microphone"),
        ("system audio", "system", "system audio: what this computer plays; system=NAME another"),
    ):
        if any(d.is_default and d.kind == kind for d in inputs):
            print(f"* --device {word:<6} takes this {what}")


def _missing(kind: str, why: MonitorError, todo: Sequence[str]) -> None:
    print(f"\nno {kind}: {why.message}")
    for number, line in enumerate(todo, 1):
        print(f"  {number}. {line}")
