"""The figures that a scorer gives for each block of 20 ms: their columns, and the codes that stand in two of them."""

from __future__ import annotations

from enum import IntEnum

FIGURES = ("level", "kind", "warm", "bandwidth", "active", "spoof", "speech")
"""The first columns of a scorer's figures; the probabilities of the synthesis families follow.

level: dBFS. kind: Kind. warm: 1 once enough blocks were scored since the cold state. bandwidth: Bandwidth. active: 1
for speech, which alone is evidence. spoof: logit, > 0 = synthetic. speech: probability. spoof, speech and the families
are 0 where the network is not asked: where the kind is neither SPEECH nor NOT_SPEECH.
"""


class Kind(IntEnum):
    """The kind of a block. SPEECH means that nothing speaks against it."""

    SPEECH = 0
    SILENCE = 1
    ZEROS = 2
    TONE = 3
    DTMF = 4
    RINGBACK = 5
    NOT_SPEECH = 6
    CLIPPING = 7
    GAP = 8
    INVALID = 9


class Bandwidth(IntEnum):
    """The bandwidth of a stream, as far as it is known."""

    UNKNOWN = 0
    WIDEBAND = 1
    TELEPHONE = 2
