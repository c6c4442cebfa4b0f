"""A stretch of audio, and which of it is made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Audio


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """samples: float32 (n,), NaN = lost. concealed: bool (n,), samples that stand in for lost ones; None = none."""

    samples: Audio
    concealed: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def after(self, n: int) -> DecodedAudio:
        """Return the sound without its first n samples."""
        return DecodedAudio(self.samples[n:], None if self.concealed is None else self.concealed[n:])

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Return bool (n,): what was lost, whether something stands in for it or not."""
        missing: NDArray[np.bool_] = np.isnan(self.samples)
        return missing if self.concealed is None else missing | self.concealed


NOTHING = DecodedAudio(np.zeros(0, np.float32))


def join(sounds: Sequence[DecodedAudio]) -> DecodedAudio:
    """Return several pieces of audio as one."""
    given = [sound for sound in sounds if len(sound)]
    if len(given) <= 1:
        return given[0] if given else NOTHING
    samples = np.concatenate([sound.samples for sound in given])
    if all(sound.concealed is None for sound in given):
        return DecodedAudio(samples)
    masks = (np.zeros(len(s), np.bool_) if s.concealed is None else s.concealed for s in given)
    return DecodedAudio(samples, np.concatenate(list(masks)))
