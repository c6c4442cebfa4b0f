#!/bin/sh
# PyAV (FFmpeg): an empty packet does not mean a lost packet. It ends the decoder for good.
#
# libopus conceals a lost packet when it is given no data, and one would guess that an empty packet asks for that here.
# FFmpeg takes an empty packet for the end of the stream: nothing comes out, and every packet after it raises EOFError.
# A telephone call in which one RTP packet has no payload would go silent to its end.
#
# Seen with av 18.1.0 (libavcodec 62.28), decoders opus, libopus, g722 and pcm_mulaw:
#   opus: [960] [960] empty [] then EOFError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" av==18.1.0 numpy==2.2.6
"$folder/env/bin/python" - <<'EOF'
import av
import numpy as np

SOUND = (3000 * np.sin(np.arange(9600) * 2 * np.pi * 440 / 48000)).astype(np.int16)


def packets(encoder: str, rate: int) -> list[bytes]:
    """Half a second of a tone, 20 ms a packet."""
    codec = av.CodecContext.create(encoder, "w")
    codec.sample_rate, codec.layout, codec.format = rate, "mono", "s16"
    size, made = rate // 50, []
    for start in range(0, 10 * size, size):
        frame = av.AudioFrame.from_ndarray(np.resize(SOUND, size)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        made += [bytes(packet) for packet in codec.encode(frame)]
    return made


for decoder, encoder, rate in (
    ("opus", "libopus", 48000),
    ("libopus", "libopus", 48000),
    ("g722", "g722", 16000),
    ("pcm_mulaw", "pcm_mulaw", 8000),
):
    sent = packets(encoder, rate)
    codec = av.CodecContext.create(decoder, "r")
    codec.sample_rate, codec.layout = rate, "mono"
    before = [sum(frame.samples for frame in codec.decode(av.Packet(data))) for data in sent[:2]]
    empty = codec.decode(av.Packet(b""))
    try:
        after = str([frame.samples for frame in codec.decode(av.Packet(sent[3]))])
    except EOFError:
        after = "EOFError"
    print(f"{decoder}: {before} empty {empty} then {after}")
    assert all(before) and not empty and after == "EOFError"
EOF
