"""Keeps a curve of any length in a bounded number of steps. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_STEPS = 1000
FIRST_STEP_S = 0.1


@dataclass
class Curve:
    """Holds the highest value and the share of speech of each step. Steps grow with the call; peaks remain."""

    step_s: float = FIRST_STEP_S
    peaks: list[float] = field(default_factory=list)
    speech: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, at_s: float, value: float, speech: bool) -> None:
        """Add a value; calls come roughly in order of time."""
        while at_s >= self.step_s * MOST_STEPS:
            self._halve()
        index = max(0, int(at_s / self.step_s))
        missing = index + 1 - len(self.peaks)
        if missing > 0:
            self.peaks += [0.0] * missing
            self.speech += [0] * missing
            self.counts += [0] * missing
        self.peaks[index] = max(self.peaks[index], value)
        self.speech[index] += speech
        self.counts[index] += 1

    def _halve(self) -> None:
        """Join every two steps to one."""
        self.step_s *= 2
        self.peaks = [max(self.peaks[i : i + 2]) for i in range(0, len(self.peaks), 2)]
        self.speech = [sum(self.speech[i : i + 2]) for i in range(0, len(self.speech), 2)]
        self.counts = [sum(self.counts[i : i + 2]) for i in range(0, len(self.counts), 2)]

    def runs(self) -> Iterator[list[tuple[float, float]]]:
        """Yield (seconds, value) lists without a break; a pause shorter than two seconds is no break."""
        run: list[tuple[float, float]] = []
        for i, count in enumerate(self.counts):
            if not count:
                continue
            at = (i + 0.5) * self.step_s
            if run and at - run[-1][0] > max(2.0, 2 * self.step_s):
                yield run
                run = []
            run.append((at, self.peaks[i]))
        if run:
            yield run

    def speech_stretches(self) -> Iterator[tuple[float, float]]:
        """Yield (start, end) in seconds of stretches that are mostly speech."""
        start: float | None = None
        for i in range(len(self.counts) + 1):
            is_speech = i < len(self.counts) and self.counts[i] > 0 and 2 * self.speech[i] >= self.counts[i]
            if is_speech and start is None:
                start = i * self.step_s
            empty = i < len(self.counts) and not self.counts[i] and self.step_s < 1.0
            if not is_speech and not empty and start is not None:
                yield start, i * self.step_s
                start = None
