"""Detects from a stream's own speech whether a voice has the telephone's bandwidth or a wide one.

A call of 8 kHz that was resampled to 16 kHz has nothing above 4 kHz; wideband speech shows itself there in every
fricative. So the loudest moments above and below are held and compared. Bands: ITU-T G.711 and G.712 (300 to 3400 Hz),
G.722 and P.341 (50 to 7000 Hz).
"""

from __future__ import annotations

import torch
from torch import Tensor

from model.config import BLOCK_S, N_FFT, SAMPLE_RATE
from model.figures import Bandwidth

BandwidthState = dict[str, Tensor]

_BIN_HZ = SAMPLE_RATE / N_FFT
_LOW = slice(round(300 / _BIN_HZ), round(3400 / _BIN_HZ))
_HIGH = slice(round(4700 / _BIN_HZ), round(7000 / _BIN_HZ))
_NEEDED_BLOCKS = 50
"""Speech after which a voice that showed nothing above 4 kHz is taken for the telephone's: 1 s holds a fricative."""
_FADE_DB = 2.0 * BLOCK_S
"""The held maxima sink by 2 dB a second of speech, so that a call that changes its codec is noticed within seconds."""
_RATIO_DB = -43.0
"""The threshold for whole clips: wideband speech stays above -42 dB, 99 in 100 that went through a telephone below -45
dB.
"""


def init_bandwidth(batch: int, device: torch.device) -> BandwidthState:
    """Return the state of `batch` streams that have heard nothing."""
    return {
        "low": torch.full((batch,), -200.0, device=device),
        "high": torch.full((batch,), -200.0, device=device),
        "blocks": torch.zeros(batch, dtype=torch.int64, device=device),
    }


def _level_db(power: Tensor, band: slice) -> Tensor:
    return 10.0 * torch.log10(power[:, band].sum(1) + 1e-20)


def bandwidth(state: BandwidthState, power: Tensor, active: Tensor) -> tuple[BandwidthState, Tensor]:
    """Hear one block of N streams.

    power: (N, BINS), the block's last window. active: bool (N,), it is speech; the others change nothing. Returns the
    new state and int64 (N,) of Bandwidth.
    """
    low = torch.maximum(_level_db(power, _LOW), state["low"] - _FADE_DB)
    high = torch.maximum(_level_db(power, _HIGH), state["high"] - _FADE_DB)
    new = {
        "low": torch.where(active, low, state["low"]),
        "high": torch.where(active, high, state["high"]),
        "blocks": state["blocks"] + active,
    }
    wide = new["high"] - new["low"] > _RATIO_DB
    narrow = ~wide & (new["blocks"] >= _NEEDED_BLOCKS)
    found = wide * int(Bandwidth.WIDEBAND) + narrow * int(Bandwidth.TELEPHONE)
    return new, torch.where(new["blocks"] > 0, found, torch.zeros_like(found))
