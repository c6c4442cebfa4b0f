"""Chooses the clips of training and of measuring, and describes them for the weights file.

Light (no codecs, no sound files), so that a machine that has the prepared speech needs torch and little else.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from training.corpora.clips import Clip, CorpusError, by_split, split_by_speaker
from training.corpora.layouts import load_corpus


def gather(corpora: Sequence[Path], shared_speakers: bool = False) -> tuple[list[list[Clip]], list[Clip]]:
    """Train clips of each corpus, and dev clips of all. They share no speaker, unless shared_speakers says that they
    may, where a manifest's split is by something else. Raises CorpusError.
    """
    training: list[list[Clip]] = []
    dev: list[Clip] = []
    for source in corpora:
        clips = load_corpus(source)
        held = by_split(clips, "dev")
        rest = by_split(clips, "train")
        if not held and source == corpora[0]:
            rest, held = split_by_speaker(clips, 0.1)
        training.append(rest)
        dev += held
    shared = {c.speaker for c in dev} & {c.speaker for c in chain(*training)} - {""}
    if shared and not shared_speakers:
        training = [[c for c in clips if c.speaker not in shared] for clips in training]
    if len({c.label for c in chain(*training)}) < 2 or len({c.label for c in dev}) < 2:
        raise CorpusError("training and dev split each need bona fide and spoof clips")
    return training, dev


def learned_from(corpora: Sequence[Path], clips: Sequence[Clip], seconds: float) -> dict[str, Any]:
    """Return what a weights file records of its training clips, which last so many seconds together."""
    systems = Counter(f"{c.part}/{c.system}" if c.part == "lab" else f"{c.part}/{c.family}" for c in clips if c.label)
    return {
        "command": "training " + " ".join(sys.argv[1:]),
        "corpora": [p.name for p in corpora],
        "clips": len(clips),
        "hours": round(seconds / 3600, 2),
        "speakers": len({c.speaker for c in clips}),
        "bona fide clips": sum(c.label == 0 for c in clips),
        "spoof clips": dict(sorted(systems.items())),
        "torch": torch.__version__,
    }
