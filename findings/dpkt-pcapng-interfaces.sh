#!/bin/sh
# dpkt reads every packet of a pcapng file with the link type and the time unit of the first interface.
#
# In pcapng each interface has its own link type, resolution (if_tsresol) and offset (if_tsoffset), and each packet
# names its interface: a capture on "any two cards" mixes microseconds and nanoseconds, Ethernet and cooked frames.
# dpkt.pcapng.Reader keeps one of each. Here two interfaces, microseconds and nanoseconds, captured a packet each at
# the same second; dpkt puts the second one tens of thousands of years later and gives no way to see its interface.
#
# Version: dpkt 1.9.8. Output seen:
#   interface 0, microseconds: 1790000000
#   interface 1, nanoseconds: 1790000000000
#   link type of the file: 1, of interface 1: 113
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/venv"
uv pip install --quiet --python "$folder/venv/bin/python" dpkt==1.9.8
"$folder/venv/bin/python" - "$folder/a.pcapng" <<'PYTHON'
import struct
import sys
from pathlib import Path

import dpkt


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def interface(link, exponent):
    return block(1, struct.pack("<HHIHHB3xHH", link, 0, 0, 9, 1, exponent, 0, 0))


def packet(number, ticks):
    return block(6, struct.pack("<IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, 4, 4) + b"data")


section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
at = 1_790_000_000
packets = packet(0, at * 10**6) + packet(1, at * 10**9)
Path(sys.argv[1]).write_bytes(section + interface(1, 6) + interface(113, 9) + packets)
with open(sys.argv[1], "rb") as file:
    reader = dpkt.pcapng.Reader(file)
    link = reader.datalink()
    times = [round(time) for time, _ in reader]
print(f"interface 0, microseconds: {times[0]}\ninterface 1, nanoseconds: {times[1]}")
print(f"link type of the file: {link}, of interface 1: 113")
sys.exit(times != [at, at * 1000] or link != 1)
PYTHON
