#!/bin/sh
# GStreamer's Opus over RTP: the first step of the timestamp is 648 instead of 960, and DTX still sends.
#
# One would guess that 20 ms of Opus are 960 ticks from the first packet on, that discontinuous transmission sends
# nothing in silence, and that the marker bit (RFC 7587, 4.1: the first packet after a pause) is set once. The first
# step is shorter by the 6.5 ms that the encoder looks ahead; in silence there is a packet each 420 ms; and every one
# of these is marked, the one that begins to speak again included.
#
# Version: GStreamer 1.22.0 (Debian's; gst-launch-1.0 must be installed). Output seen:
#   first steps 648 960 960
#   gaps of 420 ms in silence: True; marked packets other than the first: 7
set -eu
command -v gst-launch-1.0 >/dev/null || { echo "not run: gst-launch-1.0 is not installed"; exit 0; }
python3 - <<'PYTHON'
import array
import math
import socket
import struct
import subprocess
import sys
import tempfile
import wave

RATE = 48_000
tone = [round(8000 * math.sin(2 * math.pi * 300 * n / RATE) * math.sin(2 * math.pi * 3 * n / RATE)) for n in range(RATE)]
samples = array.array("h", tone + [0] * 3 * RATE + tone)
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("127.0.0.1", 0))
sink.settimeout(3.0)
with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    with wave.open(file.name, "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(samples.tobytes())
    text = (
        f"gst-launch-1.0 -q filesrc location={file.name} ! wavparse ! audioconvert ! opusenc frame-size=20 dtx=true ! "
        f"rtpopuspay dtx=true ! udpsink host=127.0.0.1 port={sink.getsockname()[1]}"
    )
    sender = subprocess.Popen(text.split())
    packets = []
    try:
        while True:
            packets.append(sink.recv(2000))
    except TimeoutError:
        sender.wait()
times = [struct.unpack("!I", p[4:8])[0] for p in packets]
steps = [after - before for before, after in zip(times, times[1:])]
marked = sum(p[1] >> 7 for p in packets[1:])
print("first steps", *steps[:3])
print(f"gaps of 420 ms in silence: {20_160 in steps}; marked packets other than the first: {marked}")
sys.exit(not (steps[:3] == [648, 960, 960] and 20_160 in steps and marked > 1))
PYTHON
