#!/bin/sh
# dpkt: the payload of an RTP packet still holds its header extension and its padding.
#
# One would guess that `data` of a parsed RTP packet is what the decoder wants, since dpkt takes away the list of
# contributing sources. It leaves the header extension in front (RFC 3550, section 5.3.1; phones and browsers send
# audio levels there) and the padding behind (section 5.1). A decoder of G.711 plays both as clicks 50 times a second.
#
# Seen with dpkt 1.9.8, 160 bytes of audio: 160 plain, 160 with two contributing sources, 168 with an extension of 8
# bytes, 164 with 4 bytes of padding
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" dpkt==1.9.8
"$folder/env/bin/python" - <<'EOF'
import struct

import dpkt

AUDIO = b"\x55" * 160


def packet(flags: int, before: bytes = b"", after: bytes = b"") -> bytes:
    """An RTP packet of version 2, payload type 0."""
    return struct.pack("!BBHII", 0x80 | flags, 0, 7, 160, 0xABCD) + before + AUDIO + after


seen = {
    "plain": packet(0),
    "two contributing sources": packet(2, struct.pack("!II", 1, 2)),
    "an extension of 8 bytes": packet(0x10, struct.pack("!HH", 0xBEDE, 1) + b"\x10\xff\x00\x00"),
    "4 bytes of padding": packet(0x20, after=b"\x00\x00\x00\x04"),
}
lengths = {name: len(dpkt.rtp.RTP(data).data) for name, data in seen.items()}
print(lengths)
assert list(lengths.values()) == [160, 160, 168, 164]
EOF
