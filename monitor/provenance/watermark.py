"""The Perth watermark (resemble-perth), which some synthesisers put into all they make. A network detects it."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.audio import Audio, Chunk
from monitor.errors import BadInputError, ConfigError
from monitor.sources.recording import FileSource
from monitor.types import SAMPLE_RATE, Mark

STRETCH_S = 10
SHORTEST_S = 2
"""With less audio the network is unsure."""
FOUND = 0.95
"""Confidence beyond which a stretch is marked; unmarked speech comes near it (docs/provenance.md)."""
LEAST_SHARE = 0.1
"""The least share of the stretches of a channel: in a long call one may seem marked by chance."""
QUIETEST = 1e-3
"""Root mean square, full scale = 1.0. Of silence the network gives what is not a number."""
MOST_IN_A_TONE = 0.5
"""Share of the power within 5 Hz beyond which it is a tone, which the network may take for a watermark."""
MOST_CHANNELS = 64


class PerthReader:
    """Looks for the watermark in recordings. Raises ConfigError where a package that it needs is not installed."""

    def __init__(self) -> None:
        self.network = _open()

    def read(self, path: Path) -> Mark | None:
        """Return the mark of a recording, or None where there is none in it, or no recording."""
        try:
            source = FileSource(path, read_ms=STRETCH_S * 1000, max_channels=MOST_CHANNELS)
        except BadInputError:
            return None
        read, marked = dict.fromkeys(source.channels, 0), dict.fromkeys(source.channels, 0)
        for chunk in source.chunks():
            for name, samples in zip(source.channels, chunk.samples, strict=True) if isinstance(chunk, Chunk) else ():
                if is_readable(samples):
                    read[name] += 1
                    marked[name] += self.confidence(samples) > FOUND
        found = [name for name in source.channels if marked[name] and marked[name] >= LEAST_SHARE * read[name]]
        if not found:
            return None
        places = ", ".join(f"{name}: {marked[name]} of {read[name]} stretches of {STRETCH_S} s" for name in found)
        reason = f"found in {places}; it names nobody and is not signed"
        return Mark("watermark", generator="Perth", reason=reason).described(f"watermark: Perth, {reason}")

    def confidence(self, samples: Audio) -> float:
        """Return how sure it is that one channel, float32 (n,) at SAMPLE_RATE, is marked: 0 to 1."""
        return float(self.network.get_watermark(samples, SAMPLE_RATE, round=False))


def is_readable(samples: Audio) -> bool:
    """Return whether the network can judge one channel, float32 (n,): it is long and loud enough, and no tone."""
    if len(samples) < SHORTEST_S * SAMPLE_RATE or not np.isfinite(samples).all():
        return False
    if float(np.sqrt(np.mean(np.square(samples)))) < QUIETEST:
        return False
    power: NDArray[np.float64] = np.abs(np.fft.rfft(samples)) ** 2
    near = 5 * len(samples) // SAMPLE_RATE
    peak = int(power.argmax())
    return float(power[max(0, peak - near) : peak + near + 1].sum() / power.sum()) < MOST_IN_A_TONE


def _open() -> Any:
    # perth asks pkg_resources, which setuptools has no longer, for its own folder and for nothing else.
    stand_in = ModuleType("pkg_resources")
    stand_in.__dict__["resource_filename"] = lambda package, name: str(resources.files(package) / name)
    absent = find_spec("pkg_resources") is None
    if absent:
        sys.modules["pkg_resources"] = stand_in
    try:
        # Not from perth itself, which gives None where a package of them is missing.
        from perth.perth_net.perth_net_implicit.perth_watermarker import PerthImplicitWatermarker
    except ImportError as error:
        hint = 'pip install "deepfake-speech-monitor[watermark]", or leave provenance.watermark out'
        raise ConfigError(f"provenance.watermark needs the package {error.name or 'resemble-perth'}", hint) from error
    finally:
        if absent:
            del sys.modules["pkg_resources"]
    with redirect_stdout(io.StringIO()):  # it prints that it was loaded, among the JSON lines
        return PerthImplicitWatermarker()
