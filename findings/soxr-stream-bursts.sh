#!/bin/sh
# soxr, ResampleStream: audio that is fed in every 20 ms comes out in bursts.
#
# One would guess that a resampler that is fed 160 samples of 8 kHz returns about 320 samples of 16 kHz each time,
# after a short delay. It returns nothing five or six times, and then 1660 samples: 104 ms at once. From 48 kHz the
# blocks are smaller (490 samples, 31 ms). Live audio thus arrives late by a changing amount.
#
# Seen with soxr 1.0.0, quality HQ:
#   8 kHz to 16 kHz, returned: 0 0 0 0 0 1660 0 0 0 0 1660 0 ...
#   48 kHz to 16 kHz, returned: 0 490 0 489 489 0 490 ...
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" soxr==1.0.0 numpy==2.2.6
"$folder/env/bin/python" - <<'EOF'
import numpy as np
import soxr


def returned(rate: int) -> list[int]:
    """Samples that come back for each 20 ms of one second."""
    stream = soxr.ResampleStream(rate, 16000, 1, dtype="float32", quality="HQ")
    sound = (0.1 * np.random.default_rng(0).standard_normal(rate)).astype(np.float32)
    return [len(stream.resample_chunk(chunk)) for chunk in np.split(sound, 50)]


for rate in (8000, 48000):
    sizes = returned(rate)
    print(f"{rate // 1000} kHz to 16 kHz, returned:", *sizes[:12], "...")
    assert max(sizes) == {8000: 1660, 48000: 490}[rate], max(sizes)
    assert sizes.count(0) >= {8000: 35, 48000: 15}[rate], sizes.count(0)
EOF
