"""Lyra v2 (SoundStream, Zeghidour 2021): encoder, residual quantiser and decoder of 20 ms frames at 16 kHz.

The weights are a folder with soundstream_encoder.tflite, quantizer.tflite and lyragan.tflite. Encoder and decoder keep
their state inside the interpreter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from model.vocoding.spectra import Audio, match_level
from training.vocoding.open_vocoders.mel import fitted
from training.vocoding.open_vocoders.tflite import interpreter

FRAME = 320
BITS = {"3200": 64, "6000": 120, "9200": 184}
"""Bits of a frame at each bit rate."""

BITS_PER_QUANTIZER = 4


class Lyra:
    """The three networks of one folder."""

    def __init__(self, folder: Path) -> None:
        self.encoder = interpreter(folder / "soundstream_encoder.tflite")
        self.quantizer = interpreter(folder / "quantizer.tflite")
        self.decoder = interpreter(folder / "lyragan.tflite")
        self.encode, self.decode = (self.quantizer.get_signature_runner(name) for name in ("encode", "decode"))

    def through(self, x: Audio, bit_rate: str) -> Audio:
        """Return x (n,) at 16 kHz through encoder and decoder from their cold states, without the delay of a frame."""
        used = BITS[bit_rate] // BITS_PER_QUANTIZER
        for network in (self.encoder, self.decoder):
            network.allocate_tensors()
            network.reset_all_variables()
        count = -(-len(x) // FRAME) + 1
        frames = fitted(x, count * FRAME).reshape(count, FRAME)
        return match_level(fitted(np.concatenate([self._frame(f, used) for f in frames]), len(x)), x)

    def _frame(self, frame: Audio, used: int) -> Audio:
        features = _run(self.encoder, frame[None])
        coded = self.encode(input_frames=features, num_quantizers=np.array(used, dtype=np.int32))
        indices = next(v for v in coded.values() if v.dtype == np.int32)
        decoded = next(iter(self.decode(encoding_indices=indices).values()))
        return _run(self.decoder, decoded).reshape(-1)


def _run(network: Any, x: Audio) -> Audio:
    """Run a network with one input and one output."""
    network.set_tensor(network.get_input_details()[0]["index"], x.astype(np.float32))
    network.invoke()
    return np.asarray(network.get_tensor(network.get_output_details()[0]["index"]), dtype=np.float32)
