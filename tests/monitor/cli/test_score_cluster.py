"""`monitor score --cluster`: an archive scored by Ray, gone on with, and equal to what one process says."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from helpers import Run, assert_one_error, events_of, make_weights, needs, voice, write_wav

pytestmark = needs("ray")


@pytest.fixture
def run(run: Run, tmp_path: Path) -> Run:
    """monitor score, beside a folder `calls` with three recordings and a broken one."""
    make_weights(tmp_path / "w.safetensors")
    for i, name in enumerate(("a.wav", "deep/b.wav", "deep/c.wav")):
        path = tmp_path / "calls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, voice(0.5, hiss=bool(i % 2), seed=i))
    (tmp_path / "calls" / "broken.wav").write_text("no recording")
    (tmp_path / "calls" / "notes.txt").write_text("no recording")
    return lambda *words: run("score", *words, "--weights", str(tmp_path / "w.safetensors"))


def table(kind: str) -> list[dict[str, object]]:
    from pyarrow import parquet

    found = [line for part in Path("out", kind).glob("part-*") for line in parquet.read_table(part).to_pylist()]
    return sorted(found, key=lambda line: str(line["path"]))


@pytest.mark.realtime
@pytest.mark.slow
def test_an_archive_is_scored_once_and_gone_on_with(run: Run) -> None:
    ran = run("calls", "--out", "out", "--workers", "2", "--cluster")
    assert (ran.status, ran.out) == (2, "")
    assert "4 files scored" in ran.err
    assert "not taken, for their names: 1 .txt" in ran.err
    here = os.path.abspath("calls")
    alone = {line["path"]: line for line in events_of(run("calls", "--json").out)}
    scores = table("scores")
    assert [line["path"] for line in scores] == [f"{here}/{name}" for name in ("a.wav", "deep/b.wav", "deep/c.wav")]
    for line in scores:
        twin = alone[os.path.relpath(str(line["path"]))]
        assert {key: line[key] for key in ("channel", "state", "p_fake", "llr", "duration_s")} == {
            key: twin[key] for key in ("channel", "state", "p_fake", "llr", "duration_s")
        }
    (error,) = table("errors")
    assert (error["path"], error["severity"]) == (f"{here}/broken.wav", "error")
    write_wav(Path("calls/d.wav"), voice(0.5))
    again = run(f"file://{here}", "calls/deep", "--out", "out", "--cluster", "local")
    assert (again.status, len(table("scores")), len(table("errors"))) == (0, 4, 1), again.err
    assert "1 files scored" in again.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("calls", "--cluster"), "--cluster needs --out"),
        (("calls", "--out", "out", "--cluster", "127.0.0.1:1"), "127.0.0.1:1"),
        (("calls", "--out", "out", "--cluster", "somewhere"), "somewhere is no address"),
        (("calls", "--out", "out", "--cluster", "ray://localhost:10001"), "is no address"),
        (("none*.wav", "--out", "out", "--cluster", "local"), "none*.wav"),
        (("calls", "--out", "calls/a.wav", "--cluster", "local"), "cannot be gone on with"),
        (("calls", "--csv", "--out", "out", "--cluster"), "contradict"),
    ],
)
def test_what_cannot_be_is_refused_before_ray_is_started(run: Run, words: tuple[str, ...], said: str) -> None:
    assert_one_error(run(*words), said)


def test_what_is_no_cluster_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.cluster.connect.ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert_one_error(run("calls", "--out", "out", "--cluster", address), address)
    assert not Path("out").exists()


def test_weights_that_cannot_be_used_are_refused(run: Run) -> None:
    Path("w.safetensors").unlink()
    assert_one_error(run("calls", "--out", "out", "--cluster"), "w.safetensors")
    assert json.dumps(os.listdir()).count("out") == 0
