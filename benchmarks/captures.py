"""Measures time and memory of finding the calls in a capture: python -m benchmarks.captures [--calls 50].

The capture is made here: calls of two parties with SIP around them, one after the other on each of so many lines.
Seconds are of the processor, so that what else runs on the machine changes little.
"""

from __future__ import annotations

import argparse
import resource
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from monitor.captures.assemble_calls import find_calls
from monitor.captures.scan import scan

BEGUN, CALL_S, FRAME_S = 1_790_000_000, 180, 0.02


def frame(source: tuple[int, int], target: tuple[int, int], data: bytes) -> bytes:
    """Return a datagram over Ethernet; ends: last bytes of 10.0.x.x, and port."""
    udp = struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0) + data
    hosts = struct.pack("!HH", 0x0A00, source[0]), struct.pack("!HH", 0x0A00, target[0])
    return bytes(12) + b"\x08\x00" + struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, *hosts) + udp


def sip(first: str, call: str, host: int, port: int) -> bytes:
    """Return a message with a description of audio."""
    text = f"{first}\r\nCall-ID: {call}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@y>;tag=2\r\nCSeq: 1 INVITE\r\n\r\n"
    return (text + f"v=0\r\nc=IN IP4 10.0.{host >> 8}.{host & 255}\r\nm=audio {port} RTP/AVP 0\r\n").encode()


def frames(lines: int, seconds: int) -> Iterator[tuple[float, bytes]]:
    """Yield the frames of a capture in order of time."""
    payload = bytes(range(160))
    for step in range(round(seconds / FRAME_S)):
        at = step * FRAME_S
        for line in range(lines):
            since = step - round(line * CALL_S / lines / FRAME_S)
            if since < 0:
                continue
            number, within = divmod(since, round(CALL_S / FRAME_S))
            a, b = (2 * line, 4000), (2 * line + 1, 5000)
            name = f"{line}-{number}@x"
            if within == 0:
                yield at, frame((a[0], 5060), (b[0], 5060), sip("INVITE sip:b@y SIP/2.0", name, *a))
                yield at, frame((b[0], 5060), (a[0], 5060), sip("SIP/2.0 200 OK", name, *b))
            for ends in ((a, b), (b, a)):
                head = struct.pack("!BBHII", 0x80, 0, within & 0xFFFF, within * 160, ends[0][0] * 1000 + number)
                yield at, frame(*ends, head + payload)


def write(path: Path, lines: int, seconds: int) -> int:
    """Write the capture; returns the number of packets."""
    count = 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        for at, data in frames(lines, seconds):
            whole = int(at)
            head = struct.pack("<IIII", BEGUN + whole, round((at - whole) * 1e6), len(data), len(data))
            file.write(head + data)
            count += 1
    return count


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50, help="at once")
    parser.add_argument("--seconds", type=int, default=300, help="of the capture")
    parser.add_argument("--keep", type=Path, help="write the capture here, and keep it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "calls.pcap"
        packets = write(path, given.calls, given.seconds)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.process_time()
        found = scan(path)
        calls = find_calls(found).calls
        took = time.process_time() - started
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{given.calls} calls at once, {given.seconds} s: {packets} packets, {len(calls)} calls found in {took:.1f} s"
        f" of processor time, {1e6 * took / packets:.1f} us a packet, 1/{given.seconds / took:.0f} of its length; "
        f"memory {before / 1024:.0f} to {after / 1024:.0f} MB"
    )


if __name__ == "__main__":
    main()
