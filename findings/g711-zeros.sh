#!/bin/sh
# G.711: decoded A-law is never zero, and one mu-law code does not survive decoding and encoding.
#
# One would guess that digital silence on a telephone line decodes to zeros, so that "all samples are zero" finds a
# muted line. A-law has no code for zero: its quietest samples are +8 and -8 of 32768. Mu-law has two codes for zero,
# 0x7F and 0xFF; encoding gives 0xFF for both, so that a gateway that decodes and encodes does not return every byte.
#
# Seen with av 18.1.0 (libavcodec 62.28):
#   pcm_alaw: 0 of 256 codes decode to zero, smallest magnitude 8, codes that come back changed: none
#   pcm_mulaw: 2 of 256 codes decode to zero, smallest magnitude 0, codes that come back changed: 0x7f
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" av==18.1.0 numpy==2.2.6
"$folder/env/bin/python" - <<'EOF'
import av
import numpy as np

CODES = bytes(range(256))
for law, zeros, quietest, changed in (("pcm_alaw", 0, 8, []), ("pcm_mulaw", 2, 0, [0x7F])):
    decoder = av.CodecContext.create(law, "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    samples = decoder.decode(av.Packet(CODES))[0].to_ndarray()
    encoder = av.CodecContext.create(law, "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate = 8000
    again = b"".join(bytes(packet) for packet in encoder.encode(frame))
    other = [code for code, back in zip(CODES, again, strict=True) if code != back]
    least, count = int(np.abs(samples.astype(int)).min()), int((samples == 0).sum())
    names = ", ".join(map(hex, other)) or "none"
    print(f"{law}: {count} of 256 codes decode to zero, smallest magnitude {least},", end=" ")
    print("codes that come back changed:", names)
    assert (count, least, other) == (zeros, quietest, changed)
EOF
