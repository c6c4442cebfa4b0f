"""Many callers in one process that costs little: RTP of PCMU in packets of 20 ms, encoded before the first is sent.

python -m benchmarks.callers PORT CALLS SECONDS BEGUN_FILE [SPREAD_S]: calls come in over SPREAD_S. BEGUN_FILE gets,
for each call's source port, the time.monotonic() at which its first packet left. At the end one line of JSON says what
was sent.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.common import voice
from model.resample import resample_all
from monitor.rtp.encode import encode
from monitor.rtp.packet import HEADER, VERSION
from monitor.rtp.payload import STATIC
from monitor.types import SAMPLE_RATE

FRAME_S, TICKS = 0.02, 160
SLOTS = 10
"""Callers are spread over the 20 ms of a frame in so many groups, as independent phones would be."""
VOICES, VOICE_S = 4, 12.0
SPREAD_S = 2.0


class Caller:
    """One phone. first: frame of the benchmark in which it begins to talk."""

    def __init__(self, number: int, port: int, payloads: list[bytes], first: int) -> None:
        self.first, self.number = first, number
        self._payloads, self._shift = payloads, number * 37
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))

    def send(self, frame: int) -> None:
        """Send the packet of a frame of the benchmark."""
        n = frame - self.first
        head = HEADER.pack(VERSION << 6, 0x80 * (n == 0), n & 0xFFFF, n * TICKS & 0xFFFF_FFFF, 1000 + self.number)
        self.socket.send(head + self._payloads[(n + self._shift) % len(self._payloads)])

    def bye(self) -> None:
        """Send an RTCP BYE (RFC 3550, section 6.6)."""
        self.socket.send(bytes([VERSION << 6 | 1, 203, 0, 1]) + (1000 + self.number).to_bytes(4, "big"))


def payloads_of(seed: int) -> list[bytes]:
    """Encode one voice as PCMU, a payload a frame."""
    return encode(STATIC[0], resample_all(voice(VOICE_S, seed), SAMPLE_RATE, 8000), FRAME_S * 1000)


def send_calls(callers: list[Caller], seconds: float, start_file: Path) -> dict[str, float]:
    """Send until then, by the clock."""
    started, sent, late = time.monotonic() + 0.5, 0, []
    starts = {}
    for i, caller in enumerate(callers):
        starts[str(caller.socket.getsockname()[1])] = started + (caller.first + (i % SLOTS) / SLOTS) * FRAME_S
    start_file.write_text(json.dumps(starts), encoding="ascii")
    for turn in range(round(seconds / FRAME_S) * SLOTS):
        due = started + turn * FRAME_S / SLOTS
        if (wait := due - time.monotonic()) > 0:
            time.sleep(wait)
        late.append(time.monotonic() - due)
        frame, slot = divmod(turn, SLOTS)
        for caller in callers[slot::SLOTS]:
            if frame >= caller.first:
                caller.send(frame)
                sent += 1
    for caller in callers:
        caller.bye()
    return {
        "packets_sent": sent,
        "late_p99_ms": round(float(np.percentile(late, 99)) * 1000, 2),
        "late_max_ms": round(max(late) * 1000, 2),
        "processor_s": round(time.process_time(), 2),
    }


def main() -> None:
    port, calls, seconds, start_file, *more = sys.argv[1:]
    spread_s = float(more[0]) if more else SPREAD_S
    spoken = [payloads_of(seed) for seed in range(VOICES)]
    step = spread_s / FRAME_S / int(calls)
    callers = [Caller(i, int(port), spoken[i % VOICES], int(i * step)) for i in range(int(calls))]
    print(json.dumps(send_calls(callers, float(seconds), Path(start_file))))


if __name__ == "__main__":
    main()
