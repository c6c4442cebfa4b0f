"""`monitor devices`: the inputs that --device takes."""

from __future__ import annotations

import json
from dataclasses import asdict

from monitor.devices import list_inputs


def devices(*, as_json: bool) -> None:
    """Print a line for each input. Raises BadInputError without PortAudio or without any input."""
    inputs = list_inputs()
    if as_json:
        for device in inputs:
            print(json.dumps(asdict(device)))
        return
    width = max(len(d.name) for d in inputs)
    print(f"   #  {'name':<{width}}  channels     rate  host API")
    for d in inputs:
        mark = "*" if d.is_default else " "
        print(f"{mark} {d.index:2}  {d.name:<{width}}  {d.channels:8}  {d.rate:4} Hz  {d.host_api}")
    print("* the default input, which --device mic takes")
