"""Rows of streams that follow each other as a slice, with which numpy copies nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Rows = Ints | slice


def as_slice(rows: Ints) -> Rows:
    """Return rows as a slice, where each is the one after the row before it."""
    count = len(rows)
    if count > 1 and (rows.item(count - 1) - rows.item(0) != count - 1 or (np.diff(rows) != 1).any()):
        return rows
    return slice(rows.item(0), rows.item(0) + count) if count else rows
