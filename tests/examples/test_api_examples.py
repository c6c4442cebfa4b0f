"""The examples of the HTTP API, against a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import turning_call, write_wav
from web_server import Served, serving_page

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    write_wav(folder / "call.wav", turning_call(3.0, 2.0, 4.0))
    with serving_page(folder, "--journal", "journal") as page:
        yield page


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_push_a_call_then_list_and_mark_it(served: Served, folder: Path) -> None:
    address = f"127.0.0.1:{served.port}"
    verdict = run(folder, sys.executable, str(EXAMPLES / "api_push.py"), "call.wav", f"ws://{address}")
    listed = run(folder, sys.executable, str(EXAMPLES / "api_calls.py"), f"http://{address}", "I know that voice")
    row, marked = listed.splitlines()
    assert row.split("\t")[2:] == verdict.split()[:2]
    assert marked.startswith("marked ")
    (event,) = served.monitor.events[-1:]
    assert (event["type"], event["note"]) == ("call.marked", "I know that voice")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_score_a_file_with_curl(served: Served, folder: Path) -> None:
    result = run(folder, "sh", str(EXAMPLES / "api_score.sh"), "call.wav", f"http://127.0.0.1:{served.port}")
    job = json.loads(result)
    assert (job["state"], job["name"], job["calls"][0]["name"]) == ("done", "call.wav", "call.wav")
    assert job["calls"][0]["outcome"] in ("suspicious", "alert")
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")
    assert served.request(f"/api/v1/scores/{job['id']}")[0] == 404
