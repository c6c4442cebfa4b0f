#!/bin/sh
# FFmpeg and SciPy hear the last part of a WAV file whose samples stand in two data chunks, Python's own reader the
# first; none of them says so.
#
# One would guess that a reader goes on into the second chunk, as in other containers, or takes the first. A recorder
# that adds a chunk for each part of a recording is heard in part: by one tool from its beginning, by others from its
# end, and a label by time is then that of other speech.
#
# Seen with av 18.1.0 (libavformat 62.12.102), scipy 1.15.3, Python 3.11 to 3.13: 2 s of 300 Hz, then 1 s of 600 Hz:
# FFmpeg and SciPy 1 s of 600 Hz, wave 2 s of 300 Hz
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" av==18.1.0 scipy==1.15.3 numpy==2.2.6
"$folder/env/bin/python" - <<'PYTHON'
import io
import struct
import warnings
import wave

import av
import numpy as np
from scipy.io import wavfile

RATE = 8000


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data


def tone(pitch, seconds):
    return (8000 * np.sin(2 * np.pi * pitch * np.arange(seconds * RATE) / RATE)).astype("<i2").tobytes()


def told(samples):
    crossings = np.count_nonzero(np.diff(np.signbit(samples)))
    return len(samples) / RATE, round(crossings * RATE / len(samples) / 2, -2)


body = b"WAVE" + chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
body += chunk(b"data", tone(300, 2)) + chunk(b"data", tone(600, 1))
file = b"RIFF" + struct.pack("<I", len(body)) + body
with av.open(io.BytesIO(file)) as container:
    ffmpeg = told(np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]))
    version = ".".join(map(str, av.library_versions["libavformat"]))
with wave.open(io.BytesIO(file)) as reader:
    first = told(np.frombuffer(reader.readframes(10**6), "<i2"))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    scipy = told(wavfile.read(io.BytesIO(file))[1])
print("libavformat", version, "(s, Hz)", ffmpeg, "scipy", scipy, [str(one.message) for one in said], "wave", first)
assert ffmpeg == (1.0, 600.0), ffmpeg
assert scipy == (1.0, 600.0), scipy
assert not said
assert first == (2.0, 300.0), first
PYTHON
