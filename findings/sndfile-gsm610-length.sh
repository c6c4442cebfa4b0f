#!/bin/sh
# libsndfile: a WAV file of GSM 6.10 is longer when it is read than when it was written.
#
# One would guess that as many samples come back as were written, or the next multiple of 320: GSM in WAV packs two
# frames into a block of 65 bytes. Where the number of blocks is odd, one block more comes back: 160 and 320 samples
# become 640. Labels by sample, and calls put end to end, drift apart by up to 60 ms a file.
#
# Seen with soundfile 0.13.1 (libsndfile 1.2.2): written 160, 320, 480, 640, 960, 8000; read 640, 640, 640, 640, 1280,
# 8320
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" soundfile==0.13.1 numpy==2.2.6
"$folder/env/bin/python" - <<'EOF'
import io

import numpy as np
import soundfile

written = [160, 320, 480, 640, 960, 8000]
read = []
for count in written:
    file = io.BytesIO()
    soundfile.write(file, 0.1 * np.ones(count, np.float32), 8000, format="WAV", subtype="GSM610")
    file.seek(0)
    read.append(len(soundfile.read(file)[0]))
print("libsndfile", soundfile.__libsndfile_version__, "written", written, "read", read)
assert read == [640, 640, 640, 640, 1280, 8320]
EOF
