"""Writes the progress of a run: history.json, its plot, and TensorBoard's files if wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any, Self

from training.evaluate.drawing import COLOURS, panels, save_all

Row = Mapping[str, Any]

PANELS = (("loss", "loss (nats)"), ("accuracy", "right side of even odds"), ("eer", "equal error rate"))
"""Kinds of figures, and the titles of their panels. A row has them of the training batches under the plain name, of the
dev split under PART_name.
"""


def draw_curves(history: Sequence[Row]) -> Any:
    """Draw loss, accuracy and error rate against steps: of training batches, which are augmented, in black; of each
    part of the dev split in colour. None with fewer than two validations.
    """
    if len(history) < 2:
        return None
    figure, axes = panels(1, len(PANELS), 4.2, 3.0)
    steps = [row["step"] for row in history]
    names = [name for name in history[-1] if name not in ("step", "spent_s")]
    for axis, (kind, title) in zip(axes[0], PANELS, strict=True):
        parts = [name for name in names if name.endswith(f"_{kind}")]
        lines = [(kind, "training", COLOURS[0])] if kind in names else []
        lines += [(name, name.removesuffix(f"_{kind}"), c) for name, c in zip(parts, cycle(COLOURS[1:]), strict=False)]
        for name, label, colour in lines:
            axis.plot(steps, [row.get(name, float("nan")) for row in history], ".-", color=colour, label=label)
        axis.set(title=title, xlabel="steps")
        if lines:
            axis.legend(fontsize=8, loc="best")
    return figure


def check_tensorboard() -> None:
    """Check that tensorboard is installed. Raises ValueError where it is not."""
    if find_spec("tensorboard") is None:
        raise ValueError("--tensorboard needs the package tensorboard: install the extra of that name")


class RunLog:
    """Writes into a run's folder. tensorboard: event files too, below `tensorboard`; those of steps after `done`, of a
    run that broke off, are hidden. Raises ValueError.
    """

    def __init__(self, out: Path, *, tensorboard: bool, done: int = 0) -> None:
        self.out = out
        self.board: Any = None
        if tensorboard:
            check_tensorboard()
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(out / "tensorboard"), purge_step=done + 1)

    def write(self, history: Sequence[Row]) -> None:
        """Write the history after another validation, its last row."""
        (self.out / "history.json").write_text(json.dumps(history, indent=1))
        save_all({"curves": lambda: draw_curves(history)}, self.out)
        if self.board is not None:
            last = history[-1]
            for name, value in last.items():
                if name != "step":
                    self.board.add_scalar(_tag(name), value, last["step"])
            self.board.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.board is not None:
            self.board.close()


def _tag(name: str) -> str:
    """Return a name as TensorBoard groups them: eer/lab, loss/training, spent_s."""
    kinds = ("loss", "accuracy", "eer", "auc", "named")
    part, _, kind = name.rpartition("_")
    return f"{kind}/{part}" if kind in kinds and part else f"{name}/training" if name in kinds else name
