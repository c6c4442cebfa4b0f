"""Pictures of conditions: error rates by codec and loss as a heat map, and against noise as a curve."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np

from training.channels.channels import CLEAN
from training.evaluate.conditions import LOSSES, Conditions, lossy_name, noisy_name
from training.evaluate.drawing import COLOURS, panels


def matrix(found: Conditions) -> Any:
    """Draw EER in percent, a row a codec, a column a share of lost packets, a panel a part. None without a matrix."""
    if not found.codecs:
        return None
    parts = list(found.eer[found.codecs[0]])
    figure, axes = panels(1, len(parts), 3.3, 1.1 + 0.34 * len(found.codecs), sharey=True)
    for axis, part in zip(axes[0], parts, strict=True):
        rates = np.array([[100 * found.eer[lossy_name(c, n)][part].value for n in LOSSES] for c in found.codecs])
        axis.imshow(rates, cmap="YlOrRd", vmin=0, vmax=50, aspect="auto")
        for (row, column), rate in np.ndenumerate(rates):
            colour = "white" if rate > 33 else "#222222"
            axis.text(column, row, f"{rate:.1f}", ha="center", va="center", color=colour, fontsize=8)
        axis.set_xticks(range(len(LOSSES)), [f"{n} %" for n in LOSSES])
        axis.set_yticks(range(len(found.codecs)), found.codecs)
        axis.set(title=f"{part}: EER (%)", xlabel="packets lost")
        axis.grid(visible=False)
    return figure


def noise(found: Conditions) -> Any:
    """Draw EER against the signal-to-noise ratio, from clean speech on; bands: 95 % intervals. None without a sweep."""
    if not found.snrs:
        return None
    names = [CLEAN, *map(noisy_name, found.snrs)]
    figure, axes = panels(1, 1, 5.4, 3.2)
    axis, places = axes[0, 0], range(len(names))
    for part, colour in zip(found.eer[CLEAN], cycle(COLOURS), strict=False):
        rates = [found.eer[name][part] for name in names]
        axis.plot(places, [100 * e.value for e in rates], color=colour, label=part, marker="o", ms=3)
        axis.fill_between(
            places, [100 * e.low for e in rates], [100 * e.high for e in rates], color=colour, alpha=0.08, linewidth=0
        )
    axis.set_xticks(places, [CLEAN, *(f"{s} dB" for s in found.snrs)])
    axis.set(xlabel="speech above the babble", ylabel="EER (%)", ylim=(0, None))
    axis.legend(fontsize=8, loc="best")
    return figure
