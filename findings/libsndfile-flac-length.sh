#!/bin/sh
# libsndfile reads a FLAC stream that does not say its length up to the last whole block, and then raises.
#
# RFC 9639 lets a stream leave its number of samples at 0, and encoders that write to a pipe do. One would guess that
# reading goes on to the end. soundfile gives 2**63 - 1 as the number of frames, and the last read, which the file
# cannot fill, raises LibsndfileError instead of giving what there is: up to a block of sound is lost. FFmpeg reads
# the same file whole.
#
# Version: soundfile 0.13.1 (libsndfile 1.2.2), av 18.1.0. Output seen:
#   soundfile says 9223372036854775807 frames, gives 94208 of 96000, then LibsndfileError
#   PyAV gives 96000
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/venv"
uv pip install --quiet --python "$folder/venv/bin/python" soundfile==0.13.1 numpy==2.2.6 av==18.1.0
"$folder/venv/bin/python" - "$folder/a.flac" <<'PYTHON'
import sys
from pathlib import Path

import av
import numpy as np
import soundfile

path = Path(sys.argv[1])
soundfile.write(path, 0.3 * np.sin(np.arange(96000) * 0.2), 8000)
data = bytearray(path.read_bytes())
fields = int.from_bytes(data[21:26], "big")  # of STREAMINFO: the last 36 bits are the number of samples
data[21:26] = (fields >> 36 << 36).to_bytes(5, "big")
path.write_bytes(data)
file, read, end = soundfile.SoundFile(path), 0, "the end"
try:
    while len(block := file.read(4096)):
        read += len(block)
except soundfile.LibsndfileError as error:
    end = type(error).__name__
print(f"soundfile says {file.frames} frames, gives {read} of 96000, then {end}")
with av.open(str(path)) as container:
    whole = sum(frame.samples for frame in container.decode(audio=0))
print(f"PyAV gives {whole}")
sys.exit((file.frames, read, end, whole) != (2**63 - 1, 94208, "LibsndfileError", 96000))
PYTHON
