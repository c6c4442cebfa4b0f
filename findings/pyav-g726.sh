#!/bin/sh
# PyAV's codec context for G.726 cannot be told how many bits a sample has; one borrowed from a demuxer knows.
#
# G.726 runs at 2, 3, 4 or 5 bits a sample, and libavcodec's decoder reads that from bits_per_coded_sample. PyAV has
# no such attribute, and takes the option code_size for its encoder alone, so that decode() of valid G.726 raises
# ArgumentError whatever is set. A container opened over a few zero bytes with format "g726" (or "g726le": the bit
# order of RFC 3551) and the options code_size and sample_rate holds a context that decodes payloads of RTP.
#
# Version: av 18.1.0. Output seen:
#   a context of its own: ArgumentError
#   borrowed, 2 bits: 160 samples; 3 bits: 160 samples; 4 bits: 160 samples; 5 bits: 160 samples
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/venv"
uv pip install --quiet --python "$folder/venv/bin/python" av==18.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from io import BytesIO

import av
from av import CodecContext, FFmpegError, Packet

own = CodecContext.create("g726le", "r")
own.sample_rate, own.layout, own.options = 8000, "mono", {"code_size": "4"}
try:
    first = str(sum(f.samples for f in own.decode(Packet(bytes(80)))))
except (FFmpegError, ValueError) as error:
    first = type(error).__name__
print("a context of its own:", first)
counts = []
for bits in (2, 3, 4, 5):
    options = {"code_size": str(bits), "sample_rate": "8000"}
    container = av.open(BytesIO(bytes(256)), format="g726le", options=options)
    codec = container.streams.audio[0].codec_context
    counts.append(sum(f.samples for f in codec.decode(Packet(bytes(20 * bits)))))
print("borrowed, " + "; ".join(f"{b} bits: {n} samples" for b, n in zip((2, 3, 4, 5), counts)))
sys.exit(first != "ArgumentError" or counts != [160] * 4)
PYTHON
