#!/bin/sh
# PyAV (FFmpeg): an Opus decoder that uses in-band FEC cannot be had, and asking for it says nothing.
#
# libopus decodes a lost packet from the redundancy in the next one (opus_decode with decode_fec = 1). FFmpeg's encoder
# has the option `fec`, and one would guess that its decoder has one, too. Neither libopus nor FFmpeg's own decoder
# does: both open without a word and leave the option over, and the packet behind a loss gives its own 20 ms alone.
#
# Seen with av 18.1.0 (libavcodec 62.28):
#   libopus: left over {'fec': '1'}, behind a loss 960 samples
#   opus: left over {'fec': '1'}, behind a loss 960 samples
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" av==18.1.0 numpy==2.2.6
"$folder/env/bin/python" - <<'EOF'
import av
import numpy as np

sound = (9000 * np.sin(np.cumsum(np.linspace(0.01, 0.06, 9600)))).astype(np.int16)
encoder = av.CodecContext.create("libopus", "w")
encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48000, "mono", "s16", 24000
encoder.options = {"fec": "1", "packet_loss": "20", "application": "voip"}
sent = []
for start in range(0, len(sound), 960):
    frame = av.AudioFrame.from_ndarray(sound[start : start + 960][None], format="s16", layout="mono")
    frame.sample_rate, frame.pts = 48000, start
    sent += [bytes(packet) for packet in encoder.encode(frame)]

for name in ("libopus", "opus"):
    decoder = av.CodecContext.create(name, "r")
    decoder.sample_rate, decoder.layout, decoder.options = 48000, "mono", {"fec": "1", "apply_phase_inv": "0"}
    decoder.open(strict=False)
    left = {key: value for key, value in decoder.options.items() if key == "fec"}
    for data in sent[:4]:
        decoder.decode(av.Packet(data))
    behind = sum(frame.samples for frame in decoder.decode(av.Packet(sent[5])))
    print(f"{name}: left over {left}, behind a loss {behind} samples")
    assert left == {"fec": "1"} and behind == 960
EOF
