"""The journal is whole lines at any moment: full disks, crashes, rotation, and files that are not its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers import journaled

from monitor.errors import BadInputError, SinkError
from monitor.events import wire
from monitor.events.bus import Bus
from monitor.sinks.journal import CHECK_S, JournalSink
from monitor.sinks.memory import MemorySink
from monitor.types import Event

WALL_CLOCK = ("time", "epoch", "crc", "chain")


def event(seq: int, detail: str = "") -> Event:
    return Event("score", "call1", "caller", seq * 160, {"detail": detail}, seq, "epoch", "now")


def seqs(path: Path) -> list[int]:
    text = path.read_bytes()
    assert text.endswith(b"\n") or not text
    return [json.loads(line)["seq"] for line in text.splitlines()]


def test_each_event_is_a_line_at_once(tmp_path: Path) -> None:
    journal = JournalSink(tmp_path / "journal")
    for seq in (1, 2):
        journal.emit(event(seq))
        assert seqs(journal.path) == list(range(1, seq + 1))
    assert journaled(journal.path).splitlines()[0].encode() == wire.encode(event(1))
    journal.close()


def test_what_has_no_number_is_not_journaled(tmp_path: Path) -> None:
    journal = JournalSink(tmp_path / "journal")
    journal.emit(event(0))
    journal.close()
    assert journal.path.read_bytes() == b""


def test_a_second_run_appends(tmp_path: Path) -> None:
    for seq in (1, 2):
        journal = JournalSink(tmp_path / "journal")
        assert journal.warning() == ""
        journal.emit(event(seq))
        journal.close()
    assert seqs(tmp_path / "journal") == [1, 2]


def test_a_full_disk_leaves_whole_lines_and_nothing_is_lost_or_written_twice(small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(40_000))
    journal, other = JournalSink(small_disk / "journal"), MemorySink()
    with Bus([journal, other], 10_000) as bus:
        for _ in range(100):
            bus.publish(event(0, "x" * 400), wait=False)
        assert other.wait_for(101)
        fault = bus.status()[0]
        assert (fault.ok, fault.dropped) == (False, 0)
        assert "No space left on device" in fault.fault
        before = seqs(journal.path)
        assert before == list(range(1, fault.emitted + 1))
        assert 10 < len(before) < 100
        filler.unlink()
        # The tmpfs holds about 100 such lines once the filler is gone.
        assert bus.drain(10.0)
        assert bus.status()[0].ok
    assert seqs(journal.path) == list(range(1, 101))
    codes = [notice.data["code"] for notice in other.events if not notice.seq]
    assert codes == ["sink fault", "sink recovered"]


@pytest.mark.realtime
def test_a_line_that_fits_in_part_is_taken_back(tmp_path: Path) -> None:
    """With a limit on the size of files in another process: the limit falls into the middle of a line."""
    script = f"""
import resource
from monitor.errors import SinkError
from monitor.sinks.journal import JournalSink
from monitor.types import Event

journal = JournalSink({str(tmp_path / "journal")!r})
event = lambda seq: Event("score", "c", "a", seq, {{"detail": "x" * 300}}, seq, "epoch", "now")
journal.emit(event(1))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
seq, faults = 2, 0
while seq <= 5:
    try:
        journal.emit(event(seq))
        seq += 1
    except SinkError as error:
        faults += 1
        size = journal.path.stat().st_size
        assert size < 1000, size
        assert journal.path.read_bytes().endswith(b"\\n")
        if faults == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert faults == 3, faults
journal.close()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert seqs(tmp_path / "journal") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("torn", [b'{"ty', b'{"type":"score","call":"x', b"\x00" * 100_000, b"x" * 200_000])
def test_the_torn_end_of_a_crash_is_moved_aside(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(wire.encode(event(1)) + b"\n" + torn)
    journal = JournalSink(path)
    assert f"torn last line of {len(torn)} bytes" in journal.warning()
    journal.emit(event(2))
    journal.close()
    assert seqs(path) == [1, 2]
    assert (tmp_path / "journal.torn").read_bytes() == torn + b"\n"


def test_a_journal_that_is_nothing_but_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"type":"sco')
    journal = JournalSink(path)
    journal.emit(event(1))
    journal.close()
    assert seqs(path) == [1]


@pytest.mark.parametrize("content", [b"RIFF....WAVEfmt ", b"some notes without an end", b"\n"])
def test_another_kind_of_file_is_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="something else"):
        JournalSink(path)
    assert path.read_bytes() == content


def test_two_monitors_cannot_share_a_journal(tmp_path: Path) -> None:
    first = JournalSink(tmp_path / "journal")
    with pytest.raises(BadInputError, match="another monitor"):
        JournalSink(tmp_path / "journal")
    first.close()
    JournalSink(tmp_path / "journal").close()


@pytest.mark.parametrize("path", ["missing/journal", ".", "/dev/null", "/proc/journal"])
def test_a_place_that_cannot_be_written_is_bad_input(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInputError, match="journal"):
        JournalSink(tmp_path / path)


def test_a_journal_that_is_rotated_away_is_made_anew(tmp_path: Path) -> None:
    path, moved = tmp_path / "journal", tmp_path / "journal.1"
    with Bus([JournalSink(path)], 100) as bus:
        bus.publish(event(0), wait=True)
        assert bus.drain(5.0)
        path.rename(moved)
        time.sleep(CHECK_S + 0.2)
        bus.publish(event(0), wait=True)
        assert bus.drain(5.0)
    assert seqs(moved) == [1]
    assert seqs(path) == [2]


def test_a_vanished_directory_is_a_fault_until_it_is_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    journal = JournalSink(home / "journal")
    journal.path.unlink()
    home.rmdir()
    journal.tick()
    with pytest.raises(SinkError, match="No such file or directory"):
        journal.emit(event(1))
    home.mkdir()
    journal.emit(event(1))
    journal.close()
    assert seqs(home / "journal") == [1]


def test_two_replays_write_the_same_journal_whatever_the_other_sinks_do(tmp_path: Path) -> None:
    lines = []
    for run in (1, 2):
        flaky = MemorySink("flaky")
        path = tmp_path / f"journal{run}"
        with Bus([flaky, JournalSink(path)], 50) as bus:
            if run == 2:
                flaky.fail("for a while")
                threading.Timer(0.2, flaky.recover).start()
            for n in range(500):
                bus.publish(Event("score", "c", "a", n, {"p_fake": n / 500}), wait=True)
            assert bus.drain(30.0)
        fields = [json.loads(line) for line in path.read_bytes().splitlines()]
        lines.append([{key: item[key] for key in item if key not in WALL_CLOCK} for item in fields])
    assert lines[0] == lines[1]
    assert len(lines[0]) == 500
