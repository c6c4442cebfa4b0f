#!/bin/sh
# W64 and CAF that FFmpeg writes to a pipe: of each one reader reads nothing, and it is not the same one.
#
# One would guess that what FFmpeg writes FFmpeg reads, and that a reader of a format takes a length that is left open.
# Into a pipe FFmpeg cannot write the length afterwards. Of such a W64 FFmpeg itself reads nothing, and libsndfile all.
# Of such a CAF, whose specification lets the last chunk have the size -1, libsndfile reads nothing and FFmpeg all.
#
# Version: av 18.1.0, soundfile 0.13.1 (libsndfile 1.2.2). Output seen:
#   w64: PyAV InvalidDataError, soundfile 20001
#   caf: PyAV 20001, soundfile LibsndfileError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/venv"
uv pip install --quiet --python "$folder/venv/bin/python" soundfile==0.13.1 numpy==2.2.6 av==18.1.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import av
import numpy as np
import soundfile

FOLDER = Path(sys.argv[1])


class Pipe:
    """Can be written, and nothing else."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")
        self.write = self.file.write


def written(form: str) -> Path:
    path = FOLDER / f"a.{form}"
    pipe = Pipe(path)
    with av.open(pipe, "w", format=form) as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        samples = (8000 * np.sin(np.arange(20001) * 0.2)).astype("<i2")[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.rate = 8000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    pipe.file.close()
    return path


def by_pyav(path: Path) -> str:
    try:
        with av.open(str(path)) as container:
            return str(sum(frame.samples for frame in container.decode(audio=0)))
    except av.FFmpegError as error:
        return type(error).__name__


def by_soundfile(path: Path) -> str:
    try:
        return str(len(soundfile.read(path)[0]))
    except soundfile.LibsndfileError as error:
        return type(error).__name__


seen = {form: (by_pyav(path), by_soundfile(path)) for form in ("w64", "caf") if (path := written(form))}
for form, (one, other) in seen.items():
    print(f"{form}: PyAV {one}, soundfile {other}")
sys.exit(seen != {"w64": ("InvalidDataError", "20001"), "caf": ("20001", "LibsndfileError")})
PYTHON
