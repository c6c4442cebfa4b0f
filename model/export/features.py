"""Features as graphs: the spectra of windows -> scaled vectors, all products with filters as matrix products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.config import N_FFT
from model.export.graph import Graph
from model.features import AnyFeatures, DelayFeatures, EnvelopeFeatures, Features, JoinedFeatures, SincFeatures
from model.filterbanks import BINS


@dataclass(frozen=True)
class Spectrum:
    """Names of real and imaginary parts and power, each (N, 2 T, BINS)."""

    real: str
    imaginary: str
    power: str


def spectrum_input(g: Graph) -> Spectrum:
    real, imaginary = (g.input(name, ("N", "frames", BINS)) for name in ("real", "imaginary"))
    squares = g.node("Mul", real, real), g.node("Mul", imaginary, imaginary)
    return Spectrum(real, imaginary, g.node("Add", *squares))


def features(g: Graph, module: AnyFeatures, spectrum: Spectrum) -> str:
    """Return (N, 2 T, size). Raises TypeError for features without an entry in RAW."""
    if isinstance(module, JoinedFeatures):
        parts = [_scaled(g, part, spectrum) for part in module.parts if isinstance(part, Features)]
        return g.node("Concat", *parts, axis=2)
    return _scaled(g, module, spectrum)


def _scaled(g: Graph, module: Features, spectrum: Spectrum) -> str:
    if type(module) not in RAW:
        raise TypeError(f"{type(module).__name__} has no graph; add one to RAW of model/export/features.py")
    x = RAW[type(module)](g, module, spectrum)
    mean, scale = module.mean, 1.0 / module.std
    if module.relative and module.basis is None:
        x = g.node("Sub", x, g.node("ReduceMean", x, axes=[2]))
    elif module.relative:
        keep = torch.ones_like(mean)
        keep[0] = 0.0
        x = g.node("Mul", x, g.constant(keep))
    return g.node("Add", g.node("Mul", x, g.constant(scale)), g.constant(-mean * scale))


def _floored(g: Graph, module: Features, spectrum: Spectrum, filters: Tensor) -> str:
    """Return the power of each band, above the floor."""
    return g.node("Add", g.affine(spectrum.power, filters.T, None), g.constant(np.float32(module.floor)))


def _bands(g: Graph, module: Features, spectrum: Spectrum) -> str:
    logs = g.node("Log", _floored(g, module, spectrum, module.filters))
    return logs if module.basis is None else g.affine(logs, module.basis.T, None)


def _sinc(g: Graph, module: Features, spectrum: Spectrum) -> str:
    assert isinstance(module, SincFeatures)
    return g.node("Log", _floored(g, module, spectrum, module.bands()))


def _envelope(g: Graph, module: Features, spectrum: Spectrum) -> str:
    """Return all shifts at once, one beside the other along a new first axis. Each bin meets those below it, with zeros
    below the first, so that the filters of all shifts are the same.
    """
    assert isinstance(module, EnvelopeFeatures)
    shifts, size = module.SHIFTS, module.BANDS
    flat = [g.node("Reshape", part, g.whole(1, -1, BINS)) for part in (spectrum.real, spectrum.imaginary)]
    sooner = [
        g.node("Concat", *(g.node("Pad", part, g.whole(0, 0, m, 0, 0, -m)) for m in shifts), axis=0) for part in flat
    ]
    real = g.node("Add", g.node("Mul", flat[0], sooner[0]), g.node("Mul", flat[1], sooner[1]))
    imaginary = g.node("Sub", g.node("Mul", flat[1], sooner[0]), g.node("Mul", flat[0], sooner[1]))
    sums = [g.affine(part, module.filters.T, None) for part in (real, imaginary)]
    length = g.node("Sqrt", g.node("Add", *(g.node("Mul", s, s) for s in sums)))
    power = g.node("Reshape", _floored(g, module, spectrum, module.filters), g.whole(1, -1, size))
    share = g.node("Transpose", g.node("Div", length, power), perm=[1, 0, 2])
    frames = g.node("Shape", spectrum.real, end=2)
    return g.node("Reshape", share, g.node("Concat", frames, g.whole(size * len(shifts)), axis=0))


def _delay(g: Graph, module: Features, spectrum: Spectrum) -> str:
    """Return the matrix that turns a spectrum into that of the signal times a ramp."""
    assert isinstance(module, DelayFeatures)
    units = torch.eye(BINS, dtype=torch.float64)
    ramp = module.ramp.double()
    of_real, of_imaginary = (
        torch.fft.rfft(torch.fft.irfft(units * unit, n=N_FFT) * ramp, n=N_FFT) for unit in (1.0, 1.0j)
    )
    matrix = torch.cat([torch.view_as_real(part).transpose(1, 2).flatten(1) for part in (of_real, of_imaginary)])
    both = g.node("Concat", spectrum.real, spectrum.imaginary, axis=2)
    later = g.nodes("Split", g.affine(both, matrix.float().T, None), g.whole(BINS, BINS), count=2, axis=2)
    products = [g.node("Mul", a, b) for a, b in zip(later, (spectrum.real, spectrum.imaginary), strict=True)]
    moment = g.affine(g.node("Add", *products), module.filters.T, None)
    return g.node("Div", moment, _floored(g, module, spectrum, module.filters))


RAW: dict[type[Features], Callable[[Graph, Features, Spectrum], str]] = {
    Features: _bands,
    SincFeatures: _sinc,
    EnvelopeFeatures: _envelope,
    DelayFeatures: _delay,
}
"""How each kind of features is built before scaling: (N, 2 T, size)."""
