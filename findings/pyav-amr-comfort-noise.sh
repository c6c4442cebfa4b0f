#!/bin/sh
# FFmpeg's own AMR decoders refuse comfort noise; the OpenCORE decoders in the same PyAV wheel take it.
#
# AMR with discontinuous transmission (the usual case on a telephone) sends a SID frame of type 8 (AMR-WB: 9) every
# 160 ms of a pause, and frames of type 15 (no data). One would guess that the decoder that PyAV opens for "amrnb"
# and "amrwb" takes them. It raises: PatchWelcomeError for SID in both, InvalidDataError for no data in amrnb. The
# decoders libopencore_amrnb and libopencore_amrwb give 20 ms for each of them.
#
# Version: av 18.1.0 (libavcodec 62.28). Output seen:
#   amrnb speech 160, SID PatchWelcomeError, no data InvalidDataError
#   libopencore_amrnb speech 160, SID 160, no data 160
#   amrwb speech 320, SID PatchWelcomeError, no data 320
#   libopencore_amrwb speech 320, SID 320, no data 320
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/venv"
uv pip install --quiet --python "$folder/venv/bin/python" av==18.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

from av import CodecContext, FFmpegError, Packet


def kinds(wide):
    """A frame of speech (all bits zero), one of comfort noise, and one of no data, as files hold them."""
    speech, noise = (2, 32) if wide else (7, 31), (9, 5) if wide else (8, 5)
    return [bytes([kind << 3 | 4]) + bytes(size) for kind, size in (speech, noise, (15, 0))]


def tried(name, frame):
    codec = CodecContext.create(name, "r")
    codec.sample_rate, codec.layout = (16000 if "wb" in name else 8000), "mono"
    try:
        return str(sum(f.samples for f in codec.decode(Packet(frame))))
    except FFmpegError as error:
        return type(error).__name__


seen = []
for name in ("amrnb", "libopencore_amrnb", "amrwb", "libopencore_amrwb"):
    results = [tried(name, frame) for frame in kinds("wb" in name)]
    seen.append(results)
    print(f"{name} speech {results[0]}, SID {results[1]}, no data {results[2]}")
expected = [
    ["160", "PatchWelcomeError", "InvalidDataError"],
    ["160", "160", "160"],
    ["320", "PatchWelcomeError", "320"],
    ["320", "320", "320"],
]
sys.exit(seen != expected)
PYTHON
