"""Lists of clips chosen from manifests: by part, split and source, or with fewer systems of synthesis."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.corpora.clips import BONA_FIDE, CorpusError, read_rows

Row = dict[str, str]


@dataclass(frozen=True)
class Selection:
    """parts: training clips of these alone; empty = all. without: sources (column detail) left out of the training
    clips. systems: number of synthesis systems kept of the training clips, 0 = all, drawn by seed. Clips of other
    splits stay as they are, or go where training_only is set. new_pairs: text before the names of pairs, so that clips
    never pair with those of another list.
    """

    parts: Collection[str] = ()
    without: Collection[str] = ()
    systems: int = 0
    seed: int = 0
    training_only: bool = False
    new_pairs: str = ""
    always: Collection[str] = field(default=("lab",))
    """Parts whose systems are not counted."""


def select(manifests: Sequence[Path], chosen: Selection) -> list[Row]:
    """Return the chosen rows of the manifests, with absolute paths. Raises CorpusError."""
    rows = [_absolute(row, path) for path in manifests for row in read_rows(path)]
    training = [row for row in rows if (row.get("split") or "train") == "train"]
    others = [] if chosen.training_only else [row for row in rows if (row.get("split") or "train") != "train"]
    kept = [row for row in training if _fits(row, chosen)]
    if chosen.systems:
        kept = _fewer_systems(kept, chosen)
    if not kept:
        raise CorpusError("no training clip fits: look at the columns part and detail of the manifests")
    if chosen.new_pairs:
        kept = [row | {"pair": chosen.new_pairs + row["pair"]} if row.get("pair") else row for row in kept]
    return kept + others


def _absolute(row: dict[str, str | None], manifest: Path) -> Row:
    plain = {name: value or "" for name, value in row.items()}
    return plain | {"path": str((manifest.parent / plain.get("path", "")).resolve())}


def _fits(row: Row, chosen: Selection) -> bool:
    return (not chosen.parts or row.get("part") in chosen.parts) and row.get("detail") not in chosen.without


def _fewer_systems(rows: Sequence[Row], chosen: Selection) -> list[Row]:
    """Keep all bona fide clips, and the synthetic clips of some systems. More systems hold those of fewer."""

    def counted(row: Row) -> bool:
        return row["label"] != BONA_FIDE and row.get("part", "") not in chosen.always

    systems = sorted({(row.get("part", ""), row.get("system", "")) for row in rows if counted(row)})
    random.Random(chosen.seed).shuffle(systems)
    some = set(systems[: chosen.systems])
    return [row for row in rows if not counted(row) or (row.get("part", ""), row.get("system", "")) in some]
