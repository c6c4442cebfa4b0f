"""The scorer of a CPU: signal processing in numpy, the network in onnxruntime. It needs no torch.

The network runs for what may be speech alone. Its convolutions remember a few blocks; where a row was silent for
longer, they hear again the blocks before the one that is speech, which gives the same as if they had never paused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.figures import FIGURES, Kind
from monitor.scoring.onnx_network import OnnxNetworks
from monitor.scoring.recent_audio import RecentAudio
from monitor.scoring.rows import Rows, as_slice
from monitor.scoring.scorer import Figures, Ints, States
from monitor.scoring.speech_gate import TAIL, bandwidth, clean, gate, init_bandwidth, init_gate, power_of, spectra

AT_ONCE = 256
"""Blocks that the network is given at once, which bounds its memory."""
SPAN, RUN_COSTS, FEW = 40, 12, 8
"""Blocks of a stream that the network is given at once, beyond which nothing is gained; blocks that cost as much as a
run of the network does whatever it is given; streams of a recording that are looked at one by one."""
_ACTIVE = FIGURES.index("active")
_SPEECH, _NOT_SPEECH = int(Kind.SPEECH), int(Kind.NOT_SPEECH)


class OnnxScorer:
    """A Scorer (monitor/scoring/scorer.py) on a CPU.

    recorded: one graph scores whatever comes, so that the figures are the same to the bit however many blocks are
    scored at once. Without it one block of many rows costs least.
    """

    device = "cpu"

    def __init__(self, networks: OnnxNetworks, rows: int, *, recorded: bool = False) -> None:
        self.rows = rows
        self._segments = networks.segments
        self._single = networks.segments if recorded else networks.single
        facts = self._single.facts
        self.config, self.weights_hash, self.parameters = facts.config, facts.weights_hash, facts.parameters
        self._memory = facts.memory
        self._families = len(self.config.families)
        self._net = {name: np.zeros((rows, *shape), np.float32) for name, shape in self._single.states.items()}
        self._signal = self._cold(rows)
        self._heard = RecentAudio(rows, self._memory)

    @property
    def _states(self) -> dict[str, NDArray[Any]]:
        return self._signal | {"heard": self._heard.held} | self._net

    def _cold(self, rows: int) -> dict[str, NDArray[Any]]:
        return {
            "tail": np.zeros((rows, TAIL), np.float32),
            "blocks": np.zeros(rows, np.int64),
            "skipped": np.zeros(rows, np.int64),
            **init_gate(self.config.gate, rows),
            **init_bandwidth(rows),
        }

    def reset(self, rows: Ints) -> None:
        for name, cold in self._cold(1).items():
            self._signal[name][rows] = cold
        for state in (self._heard.held, *self._net.values()):
            state[rows] = 0.0

    def save(self, rows: Ints) -> dict[str, NDArray[Any]]:
        return {name: state[rows].copy() for name, state in self._states.items()}

    def load(self, rows: Ints, states: States) -> None:
        own = self._states
        if {k: v.shape[1:] for k, v in states.items()} != {k: v.shape[1:] for k, v in own.items()}:
            raise ValueError("these states are of another network")
        for name, state in own.items():
            state[rows] = states[name]

    def score(self, rows: Ints, samples: NDArray[np.float32]) -> Figures:
        all_rows = len(rows) == self.rows
        old = self._signal if all_rows else {name: state[rows] for name, state in self._signal.items()}
        finite, gap, invalid = clean(samples)
        audio = np.concatenate([old["tail"], finite], axis=1)
        spectrum = spectra(audio)
        power = power_of(spectrum)
        new, kind, level = gate(self.config.gate, old, finite, power, gap, invalid)
        ok = kind == _SPEECH
        figures = np.zeros((*ok.shape, len(FIGURES) + self._families), np.float32)
        skipped, net = self._run(rows, ok, old, spectrum, figures)
        active = figures[..., _ACTIVE] > 0
        band_state, band = bandwidth(old, power, active)
        counts = old["blocks"][:, None] + np.arange(1, ok.shape[1] + 1)
        kind[ok & ~active] = _NOT_SPEECH
        for column, values in enumerate((level, kind, counts >= self.config.warm_blocks, band)):
            figures[..., column] = values
        new |= {**band_state, "tail": audio[:, -TAIL:], "blocks": counts[:, -1], "skipped": skipped}
        self._heard.add(rows, old["blocks"], finite)
        self._keep(rows, new, net)
        return figures

    def _run(
        self,
        rows: Ints,
        ok: NDArray[np.bool_],
        old: States,
        spectrum: NDArray[np.float32],
        figures: Figures,
    ) -> tuple[Ints, list[tuple[Rows, States]]]:
        """Run the network for rows that may be speech, into figures (M, B, ...). Returns how many blocks it has now
        skipped of each row (M,), and the new states of the rows that it heard.
        """
        blocks, skipped = ok.shape[1], old["skipped"]
        wanted = np.asarray(ok.any(1))
        skips, net = np.where(wanted, 0, skipped + blocks), []
        for some, spans in _pieces(ok, wanted, skipped, self._memory):
            which = as_slice(rows[some])
            after: States = {name: state[which] for name, state in self._net.items()}
            for start, stop in spans:
                again, first = max(0, -start), max(0, start)
                window, flags = spectrum[:, some, 2 * first : 2 * stop], ok[some, first:stop]
                if again:
                    heard = self._heard.before(rows[some], old["blocks"][some], again)
                    window = np.concatenate([spectra(heard), window], axis=2)
                    flags = np.pad(flags, ((0, 0), (again, 0)))
                network = self._single if flags.shape[1] == 1 else self._segments
                found, after = network.run(window, flags, after)
                found = np.where(flags[:, again:, None], found[:, again:], np.float32(0.0))
                figures[some, first:stop, _ACTIVE:] = found
            skips[some] = blocks - stop
            net.append((which, after))
        return skips, net

    def _keep(self, rows: Ints, signal: States, net: list[tuple[Rows, States]]) -> None:
        if len(rows) == self.rows:
            self._signal = dict(signal)
        else:
            for name, state in signal.items():
                self._signal[name][rows] = state
        for which, states in net:
            for name, state in states.items():
                if len(state) == self.rows:
                    self._net[name] = state
                else:
                    self._net[name][which] = state


def _pieces(
    ok: NDArray[np.bool_], wanted: NDArray[np.bool_], skipped: Ints, memory: int
) -> Iterator[tuple[Rows, list[tuple[int, int]]]]:
    """Yield the streams that the network is run for, and the spans from which block up to which, in their order: below
    0, blocks of the past.
    """
    again = np.minimum(skipped, memory)
    for count in sorted(set(again[wanted].tolist())):
        for some in _alike(ok, np.flatnonzero(wanted & (again == count))):
            spans = [(-count, 1)]
            if ok.shape[1] > 1:
                spans = _spans(np.flatnonzero(ok[some].any(0)).tolist(), -count, memory)
            size = max(1, AT_ONCE // max(stop - start for start, stop in spans))
            for at in range(0, len(some), size):
                yield as_slice(some[at : at + size]), spans


def _alike(ok: NDArray[np.bool_], some: Ints) -> list[Ints]:
    """Return streams apart from each other where that costs less than all from the first speech to the last."""
    if ok.shape[1] == 1 or not 1 < len(some) <= FEW:
        return [some]
    speech = ok[some]
    lengths = speech.shape[1] - speech[:, ::-1].argmax(1) - speech.argmax(1)
    every = np.flatnonzero(speech.any(0))
    together = len(some) * (every[-1] + 1 - every[0])
    return [some] if together <= lengths.sum() + RUN_COSTS * (len(some) - 1) else list(some[:, None])


def _spans(speech: list[int], heard: int, memory: int) -> list[tuple[int, int]]:
    """Return spans of at most SPAN blocks that hold the blocks of speech, and before each as many as the network
    remembers, but for what it has heard: nothing since `heard`.

    What lies between them is not run, where that is worth a run of its own.
    """
    spans, start, stop = [], max(heard, speech[0] - memory), speech[0] + 1
    for block in speech[1:]:
        if block - memory - stop > RUN_COSTS or block - start >= SPAN:
            spans.append((start, stop))
            start = max(stop, block - memory)
        stop = block + 1
    return [*spans, (start, stop)]
