"""The wheel by itself: installed into an empty environment, used outside the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import turning_call, write_wav

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
FOREIGN = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")

pytestmark = pytest.mark.slow


def ran(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return subprocess.run(
        list(map(str, words)), cwd=folder, env=env, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that has the wheel alone."""
    folder = tmp_path_factory.mktemp("wheel")
    built = ran(folder, UV, "build", "--wheel", "--quiet", "--out-dir", folder / "dist", ROOT)
    assert built.returncode == 0, built.stderr
    wheel = next((folder / "dist").glob("*.whl"))
    assert ran(folder, UV, "venv", "--quiet", "--python", sys.executable, "fresh").returncode == 0
    python = folder / "fresh" / "bin" / "python"
    installed = ran(folder, UV, "pip", "install", "--quiet", "--python", python, wheel)
    assert installed.returncode == 0, installed.stderr
    return python.parent


def test_the_wheel_has_one_top_level_package(environment: Path) -> None:
    program = (
        "import json; from importlib.metadata import files; "
        "print(json.dumps(sorted({f.parts[0] for f in files('deepfake-speech-monitor') if '..' not in f.parts})))"
    )
    names = json.loads(ran(environment, environment / "python", "-c", program).stdout)
    assert [name for name in names if not name.endswith(".dist-info")] == ["monitor"]


def test_the_program_works_outside_the_repository(environment: Path, tmp_path: Path) -> None:
    call = write_wav(tmp_path / "call.wav", turning_call(6.0, 6.0, 1.0))
    monitor = environment / "monitor"
    assert "replay" in ran(tmp_path, monitor, "--help").stdout
    assert "alert.opened" in json.loads(ran(tmp_path, monitor, "schema").stdout)
    scored = ran(tmp_path, monitor, "score", call)
    assert scored.returncode == 0, scored.stderr
    assert "p_fake" in scored.stdout
    shown = ran(tmp_path, monitor, "demo", call, "--speed", "max", "--no-publish", "--json")
    assert shown.returncode == 0, shown.stderr
    types = [json.loads(line)["type"] for line in shown.stdout.splitlines()]
    assert types[0] == "call.started"
    assert types[-1] == "call.ended"
    assert (tmp_path / "demo" / "call.wav").is_file()


def test_training_says_what_it_lacks(environment: Path, tmp_path: Path) -> None:
    told = ran(tmp_path, environment / "training", "--help")
    assert told.returncode == 0, told.stderr
    assert "evaluate" in told.stdout
