"""notebooks/train.ipynb runs from top to bottom on a small corpus, and is kept without outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from tiny_corpus import make_corpus

from training.learn.material import OTHER_SOUNDS_S

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "train.ipynb"
SMALL = (
    "--steps 30 --validate-every 10 --rows 8 --seconds 2 --features mel --channels 4,4 --hidden 16 --versions 2 "
    "--augment 0 --learning-rate 0.01 --workers 1 --device cpu"
)


def _texts(cell: Any) -> str:
    return "".join(o.get("text", "") for o in cell.get("outputs", []))


def _pictures(cell: Any) -> int:
    return sum("image/png" in o.get("data", {}) for o in cell.get("outputs", []))


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert len(code) > 8
    assert not any(c.outputs or c.execution_count for c in code)


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_corpus(tmp_path / "corpus").parent
    (tmp_path / "work" / "cache").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(-300, 300, 60 * 16_000).astype(np.int16)
    np.save(tmp_path / "work" / "cache" / f"other-sounds-{OTHER_SOUNDS_S}.npy", noise)  # made before: it takes 15 s
    for name, value in {
        "CORPUS": str(corpus),
        "TRAIN_OPTIONS": SMALL,
        "WORK": str(tmp_path / "work"),
        "OMP_NUM_THREADS": "1",
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    cells = {c.source.splitlines()[0]: c for c in notebook.cells if c.cell_type == "code"}
    result = "".join(_texts(c) for c in cells.values())
    assert "step 30" in result
    assert "0 speakers are in both splits" in result
    assert "classifier of systems" in result
    assert "p_fake" in _texts(notebook.cells[-1]), "the last cell shows what the monitor says of the file"
    assert sum(_pictures(c) for c in cells.values()) >= 12
    assert (tmp_path / "work" / "run" / "weights.safetensors").is_file()
