"""The results of scoring, as values: events and screens are made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import BLOCK_S
from model.figures import Bandwidth, Kind
from monitor.engine.decision import STATES, Changes
from monitor.engine.evidence import named
from monitor.engine.quality import in_words
from monitor.types import UNKNOWN_FAMILY, Reason, State

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

REASONS = {kind: Reason[kind.name] for kind in Kind}
BANDS = tuple(band.name.lower() for band in Bandwidth)
"""Names of bandwidths, by their code."""


@dataclass(frozen=True)
class FamilyNames:
    """Names of the K families of a network. floor: below it the likeliest one counts as unknown (evidence.named)."""

    names: tuple[str, ...]
    floor: float

    def of(self, weights: Floats) -> tuple[tuple[str, float], ...]:
        """Return families and their probabilities, the likeliest first; () where all weights are 0. weights: (K,), not
        normalised.
        """
        total = weights.sum()
        if total <= 0:
            return ()
        return named(dict(zip(self.names, (weights / total).tolist(), strict=True)), self.floor)

    def likeliest(self, weights: Floats, most: int) -> list[list[tuple[str, float]]]:
        """Return the first `most` of what of() gives, for all of N rows at once; weights (N, K)."""
        total = weights.sum(axis=1, keepdims=True)
        shares = weights / np.where(total > 0, total, 1.0)
        order = np.argsort(-shares, axis=1, kind="stable")[:, :most]
        top = np.take_along_axis(shares, order, axis=1).tolist()
        found: list[list[tuple[str, float]]] = []
        for places, shares_of, some in zip(order.tolist(), top, (total[:, 0] > 0).tolist(), strict=True):
            known = shares_of[0] if shares_of else 0.0
            if not some or not shares_of:
                found.append([])
            elif known >= self.floor:
                found.append([(self.names[k], p) for k, p in zip(places, shares_of, strict=True)])
            else:
                rest = [(self.names[k], p * known) for k, p in zip(places, shares_of, strict=True)]
                found.append([(UNKNOWN_FAMILY, 1.0 - known), *rest][:most])
        return found


@dataclass(frozen=True)
class Verdicts:
    """The state of M rows at one moment.

    llr (nats), p_fake and families (M, K), not normalised: of the recent speech, or of all speech where that was asked
    for. net_speech: blocks. state: index into STATES. kind: Kind of the newest block. bandwidth: Bandwidth. open:
    whether an alert is open. opened (sample index), peak (nats): of the newest alert. quiet: blocks since the last
    speech. hard: the voice is hard to judge. shares (M, 5): of each impairment in the recent speech (engine.quality).
    """

    rows: Ints
    llr: Floats
    p_fake: Floats
    net_speech: Ints
    state: Ints
    kind: Ints
    bandwidth: Ints
    families: Floats
    family_names: FamilyNames
    open: Flags
    opened: Ints
    peak: Floats
    quiet: Ints
    hard: Flags
    shares: Floats

    def state_of(self, i: int) -> State:
        """Return the state of the i-th row of these."""
        return STATES[int(self.state[i])]

    def reason_of(self, i: int) -> Reason:
        """Return what the newest block of the i-th row is."""
        return REASONS[Kind(int(self.kind[i]))]

    def band_of(self, i: int) -> str:
        """Return wideband, telephone, or unknown while too little speech was scored."""
        return BANDS[int(self.bandwidth[i])]

    def families_of(self, i: int) -> tuple[tuple[str, float], ...]:
        """Return families of the i-th row, were it synthetic, and their probabilities, the likeliest first."""
        return self.family_names.of(self.families[i])

    def impairment_of(self, i: int) -> str:
        """Return what makes the i-th row hard to judge, such as "gaps 50 %"; "" where nothing does."""
        return in_words(self.shares[i]) if self.hard[i] else ""

    def net_speech_s(self, i: int) -> float:
        """Return the net speech of the i-th row in seconds."""
        return float(self.net_speech[i]) * BLOCK_S


@dataclass(frozen=True)
class Results(Verdicts):
    """The results of one step, for the M rows that had a block.

    end: sample index. captured_at: monotonic seconds. warm: the network is not cold. votes: the block is speech, and
    there is enough for a verdict. before: the state before the step. turned: hard to judge, and was not, or the other
    way round.
    """

    end: Ints
    captured_at: Floats
    warm: Flags
    votes: Flags
    before: Ints
    turned: Flags
    changes: Changes
