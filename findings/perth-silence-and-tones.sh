#!/bin/sh
# resemble-perth: silence has the watermark NaN, and a steady tone that nobody marked has it as surely as marked speech.
#
# One would guess that get_watermark() is near 0 for whatever is not marked, and that round=True, its default, gives 0
# or 1. It averages over the frames that are louder than a twentieth of the loudest; in silence there is none, and the
# result is 0 / 0, which round leaves as it is: NaN != 1, and bool(NaN) is True. A tone, such as a recording of a line
# holds, is beyond what the network learned from. So leave silence and tones out before you ask.
#
# Seen with resemble-perth 1.0.1, torch 2.14.1 (x86-64):
#   silence: nan, and bool of it True
#   noise: 0.00
#   tone of 255 Hz: 1.00
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" resemble-perth==1.0.1 "setuptools==80.9.0" torch==2.14.1 \
  torchaudio==2.11.0 librosa==0.11.0 scipy==1.17.1 pyyaml==6.0.4 numpy
"$folder/env/bin/python" -W ignore - <<'EOF'
import contextlib
import io

import numpy as np
import perth

RATE = 32_000  # that of the network: nothing is resampled
with contextlib.redirect_stdout(io.StringIO()):
    network = perth.PerthImplicitWatermarker()
silence = network.get_watermark(np.zeros(10 * RATE, np.float32), RATE)
noise = np.random.default_rng(0).normal(0, 0.1, 10 * RATE).astype(np.float32)
tone = (0.3 * np.sin(2 * np.pi * 255 * np.arange(10 * RATE) / RATE)).astype(np.float32)
noise_mark, tone_mark = (float(network.get_watermark(x, RATE, round=False)) for x in (noise, tone))
print(f"silence: {silence}, and bool of it {bool(silence)}")
print(f"noise: {noise_mark:.2f}")
print(f"tone of 255 Hz: {tone_mark:.2f}")
assert np.isnan(silence) and bool(silence)
assert noise_mark < 0.5 and tone_mark > 0.9
EOF
