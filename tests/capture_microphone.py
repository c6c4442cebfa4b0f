"""Captures from an input and prints what comes as JSON lines: PortAudio reads its environment only once.

python capture_microphone.py DEVICE SAMPLES.npy, until a line comes on stdin.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import numpy as np

from monitor.audio import Chunk
from monitor.config.schema import InputSection
from monitor.errors import MonitorError
from monitor.sources.call_sides import open_sides

_one_line = threading.Lock()


def print_line(**values: object) -> None:
    with _one_line:
        print(json.dumps(values), flush=True)


def main(device: str, samples: str) -> None:
    config = InputSection(zeros_s=1.0, reconnect_first_s=0.2, reconnect_longest_s=1.0)
    try:
        source = open_sides([device], config)[0]
    except MonitorError as error:
        print_line(error=error.message, hint=error.hint)
        return

    def wait() -> None:
        sys.stdin.readline()
        print_line(closing=time.monotonic())
        source.close()

    threading.Thread(target=wait, daemon=True).start()
    print_line(name=source.name, channels=source.channels, begun=time.monotonic())
    pieces = []
    for item in source.chunks():
        if isinstance(item, Chunk):
            pieces.append(item.samples)
            loud = bool(item.samples.any())
            print_line(start=item.start, n=item.samples.shape[1], loud=loud, age=time.monotonic() - item.captured_at)
        else:
            print_line(code=item.code, detail=item.detail, usable=item.usable)
    print_line(ended=time.monotonic())
    np.save(samples, np.concatenate(pieces, axis=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
