"""Sentences for synthesisers to speak: patterns with slots that words fill, so that few lists give many sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.corpora.clips import CorpusError

SLOT = re.compile(r"\{(\w+)\}")
NUMBER = "number"
"""The slot that takes a number of one to four digits."""


@dataclass(frozen=True)
class Phrases:
    """patterns: sentences with slots such as {name}. words: what each slot may be. Every slot but number has words.

    Raises CorpusError for a slot without words.
    """

    patterns: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        slots = {slot for pattern in self.patterns for slot in SLOT.findall(pattern)} - {NUMBER}
        missing = sorted(slots - {name for name, choice in self.words.items() if choice})
        if missing or not self.patterns:
            raise CorpusError(f"texts need patterns, and words for every slot; none for {', '.join(missing) or 'any'}")

    def sentence(self, rng: np.random.Generator) -> str:
        """Return one sentence, its first letter large."""

        def fill(match: re.Match[str]) -> str:
            if match.group(1) == NUMBER:
                return str(int(rng.integers(2, 10 ** int(rng.integers(1, 5)) + 2)))
            choice = self.words[match.group(1)]
            return choice[int(rng.integers(len(choice)))]

        text = SLOT.sub(fill, self.patterns[int(rng.integers(len(self.patterns)))])
        return text[:1].upper() + text[1:]
