"""A journal whose lines vouch for each other: sealing, verifying, rotating, keeping, reading ranges."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import assert_one_error, journaled, run_here

from monitor.config.schema import JournalSection
from monitor.errors import BadInputError, SinkError
from monitor.events import wire
from monitor.journal import chain, journal_files
from monitor.journal.journal_reader import JournalReader
from monitor.sinks.journal import JournalSink
from monitor.types import Event


def event(seq: int, epoch: str = "one", kind: str = "score", filler: int = 0) -> Event:
    return Event(kind, "call1", "caller", seq * 160, {"detail": "x" * filler}, seq, epoch, "now")


def write(path: Path, *events: Event, **settings: object) -> Path:
    journal = JournalSink(path, JournalSection.model_validate(settings))
    for one in events:
        journal.emit(one)
    journal.close()
    return path


def small_files(path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of several files, rotated at 1 KiB."""
    monkeypatch.setattr("monitor.sinks.journal.MIB", 1 << 10)
    return write(path, *(event(seq) for seq in range(1, count + 1)), rotate_mib=1)


def test_a_line_is_its_event_and_its_seal() -> None:
    raw = wire.encode(event(1))
    line, value = chain.seal(raw, chain.GENESIS)
    fields = json.loads(line)
    assert {"crc", "chain"} <= fields.keys()
    parsed = chain.parse(line)
    assert parsed is not None
    assert (parsed.event, parsed.chain, fields["chain"]) == (raw, value, value)
    assert chain.crc_holds(parsed)
    assert chain.link(chain.GENESIS, parsed.links) == value
    assert wire.decode(line).event == event(1)


def test_names_cannot_pose_as_a_number_or_a_seal() -> None:
    name = '","seq":9,"epoch":"x","crc":"00000000","chain":"' + "0" * 64 + '"}'
    raw = wire.encode(Event("score", name, name, 1, {"zz": name}, 3, "one", "now"))
    line, _ = chain.seal(raw, chain.GENESIS)
    parsed = chain.parse(line)
    assert parsed is not None
    assert parsed.event == raw
    assert chain.number(line) == ("one", 3)
    assert chain.parse(raw) is None


def test_a_chain_goes_on_over_restarts_and_files(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_files(tmp_path / "journal", 30, monkeypatch)
    write(path, event(1, "two"), event(2, "two"))
    assert len(journal_files.rotated_files(path)) > 3
    ran = run_here(capfd, "verify", path)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"whole: 32 records in {len(journal_files.rotated_files(path)) + 1} files\nchain: ")
    journal_files.rotated_files(path)[0].unlink()
    ran = run_here(capfd, "verify", path)
    assert ran.status == 0
    assert ran.out.startswith("note: begins after an older file, which is not here\n")
    journal_files.rotated_files(path)[1].unlink()
    ran = run_here(capfd, "verify", path)
    assert (ran.status, "line 1: missing: seq" in ran.out) == (2, True)


def altered(lines: list[bytes]) -> None:
    lines[4] = lines[4].replace(b'"sample":800', b'"sample":801')


def resealed(lines: list[bytes]) -> None:
    parsed = chain.parse(lines[4][:-1])
    assert parsed is not None
    lines[4] = chain.seal(parsed.event.replace(b"800", b"801"), chain.GENESIS)[0] + b"\n"


def left_out(lines: list[bytes]) -> None:
    del lines[4:6]


def moved(lines: list[bytes]) -> None:
    lines[4], lines[5] = lines[5], lines[4]


def at_the_end(lines: list[bytes]) -> None:
    lines[-1] = lines[-1][:-5]


def without_beginning(lines: list[bytes]) -> None:
    del lines[0]


def foreign(lines: list[bytes]) -> None:
    lines[4] = b'{"type":"score"}\n'


@pytest.mark.parametrize(
    ("damage", "line", "why"),
    [
        (altered, 5, "altered: the checksum of seq 5 of one does not hold"),
        (resealed, 5, "altered or missing: seq 5 of one does not follow"),
        (left_out, 5, "missing: seq 5 to 6 stood before seq 7"),
        (moved, 5, "missing: seq 5 to 5 stood before seq 6"),
        (at_the_end, 10, "torn"),
        (without_beginning, 1, "altered or missing: seq 2 of one"),
        (foreign, 5, "altered: no record of a journal"),
    ],
)
def test_the_first_damage_is_found(
    damage: Callable[[list[bytes]], None], line: int, why: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "journal", *(event(seq) for seq in range(1, 11)))
    assert run_here(capfd, "verify", path).status == 0
    lines = path.read_bytes().splitlines(keepends=True)
    damage(lines)
    path.write_bytes(b"".join(lines))
    ran = run_here(capfd, "verify", path)
    assert (ran.status, ran.err) == (2, "")
    assert f"{path}, line {line}: {why}" in ran.out
    found = json.loads(run_here(capfd, "verify", path, "--json").out)
    assert (found["whole"], found["line"]) == (False, line)


def test_numbers_that_were_never_written_are_a_note(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ran = run_here(capfd, "verify", write(tmp_path / "journal", event(1), event(5)))
    assert ran.status == 0
    assert "note: seq 2 to 4 of one were never written" in ran.out


KEY = "a secret of enough bytes"


def sealed(folder: Path, capfd: pytest.CaptureFixture[str]) -> tuple[Path, Callable[[], tuple[int, str]]]:
    """A journal of two runs with a key, and what verifying it with the key says: exit status and words."""
    (folder / "key").write_text(KEY + "\n")
    (folder / "key").chmod(0o600)
    path, key = folder / "j", f"file:{folder / 'key'}"
    write(path, *(event(n) for n in range(1, 6)), key=key)
    write(path, *(event(n, "two") for n in range(1, 6)), key=key)

    def verified() -> tuple[int, str]:
        ran = run_here(capfd, "verify", path, "--key", folder / "key")
        return ran.status, ran.out

    return path, verified


def test_a_sealed_journal_proves_who_wrote_it_and_that_its_end_is_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, verified = sealed(tmp_path, capfd)
    status, result = verified()
    assert status == 0
    assert "whole: 10 records in 1 file" in result
    assert "proven: the holder of the key wrote these records" in result
    plain = run_here(capfd, "verify", path)
    assert plain.status == 0
    assert "caution: nobody can tell now whether the end was cut off, or all was written anew: give --key" in plain.out


def test_an_end_that_was_cut_off_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, verified = sealed(tmp_path, capfd)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    status, result = verified()
    assert status == 2
    assert "cut off: seq 4 of two is not followed by the seal that ends a run" in result


def test_a_journal_that_was_written_anew_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, verified = sealed(tmp_path, capfd)
    lines = [found.event for line in path.read_bytes().splitlines() if (found := chain.parse(line))]
    forged, before = b"", chain.GENESIS
    for line in [one.replace(b'"seq":2', b'"seq":3') for one in lines]:
        new, before = chain.seal(line, before)
        forged += new + b"\n"
    path.write_bytes(forged)
    status, result = verified()
    assert status == 2
    assert "line 6: rewritten: the seal after seq 5 of one was not made with this key" in result
    path.unlink()
    write(path, *(event(n) for n in range(1, 6)))
    unsealed = "not sealed: no line was made with this key (rewritten, or written without journal.key)"
    assert verified() == (2, f"{path}: {unsealed}\n")
    assert "caution: nobody can tell now" in run_here(capfd, "verify", path).out


def test_seals_are_no_events_for_who_reads_a_range(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, _ = sealed(tmp_path, capfd)
    found = JournalReader(path).read("one", 1, None, [""], 100, 1 << 20)
    assert [chain.number(line) for line in found.lines] == [("one", n) for n in range(1, 6)]
    assert (found.end, found.next) == (True, "two")


def test_a_key_that_is_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"journal\.key has 5 bytes"):
        write(tmp_path / "j", key="short")


def test_no_journal_to_verify(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert_one_error(run_here(capfd, "verify", tmp_path / "none"), "there is no journal")


def test_the_oldest_files_are_deleted_beyond_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small_files(tmp_path / "journal", 60, monkeypatch)
    before = journal_files.rotated_files(path)
    journal = JournalSink(path, JournalSection(rotate_mib=1, keep_mib=4))
    journal.tick()
    left = journal_files.rotated_files(path)
    assert 0 < len(left) < len(before)
    assert left == before[-len(left) :]
    assert sum(file.stat().st_size for file in (*journal_files.rotated_files(path), path)) <= 4 << 10
    os.utime(left[0], (0, time.time() - 2 * 86_400))
    old = JournalSection(keep_days=1)
    journal.close()
    journal = JournalSink(path, old)
    journal.tick()
    assert journal_files.rotated_files(path) == left[1:]
    journal.close()


def test_a_file_that_is_old_enough_is_rotated(tmp_path: Path) -> None:
    path = write(tmp_path / "journal", event(1))
    os.utime(path, (0, time.time() - 7200))
    write(path, event(2), rotate_hours=1)
    assert [json.loads(line)["seq"] for line in journal_files.rotated_files(path)[0].read_text().splitlines()] == [1]
    assert '"after":' in path.read_text()
    assert json.loads(journaled(path))["seq"] == 2


@pytest.mark.parametrize(("policy", "synced"), [("never", 0), ("alerts", 1), ("always", 3)])
def test_what_is_made_durable(policy: str, synced: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(os, "fsync", done.append)
    write(tmp_path / "journal", event(1), event(2, kind="alert.opened"), event(3), fsync=policy)
    assert len(done) == synced


def test_a_line_that_could_not_be_made_durable_is_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = JournalSink(tmp_path / "journal", JournalSection(fsync="always"))

    def fails(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        for _ in range(2):
            with pytest.raises(SinkError, match="Input/output"):
                journal.emit(event(1))
    journal.emit(event(1))
    journal.emit(event(2))
    journal.close()
    assert [json.loads(line)["seq"] for line in journal.path.read_text().splitlines()] == [1, 2]


@pytest.mark.parametrize("filler", [0, 500])
def test_ranges_are_read_across_files_and_epochs(filler: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.journal.journal_reader.STRIDE", 1000)
    monkeypatch.setattr("monitor.sinks.journal.MIB", 1 << 12)
    path = tmp_path / "journal"
    reader = JournalReader(path)
    for epoch in ("one", "two", "three"):
        left_out = {7, 8} if epoch == "two" else set()
        numbers = [seq for seq in range(1, 41) if seq not in left_out]
        write(path, *(event(seq, epoch, filler=filler) for seq in numbers), rotate_mib=1)
        found = reader.read(epoch, 1, None, ("",), 1000, 1 << 20)
        assert [json.loads(line)["seq"] for line in found.lines] == numbers
        assert (found.until, found.end, found.next, found.known) == (40, True, "", True)
    found = reader.read("two", 5, 12, ("score.",), 1000, 1 << 20)
    assert [json.loads(line)["seq"] for line in found.lines] == [5, 6, 9, 10, 11, 12]
    assert (found.missing, found.until, found.end) == ([(7, 8)], 12, False)
    part = reader.read("one", 30, None, ("",), 5, 1 << 20)
    assert [json.loads(line)["seq"] for line in part.lines] == [30, 31, 32, 33, 34]
    rest = reader.read("one", 35, None, ("",), 100, 1 << 20)
    assert (rest.until, rest.end, rest.next) == (40, True, "two")
    assert reader.read("one", 41, None, ("",), 100, 1 << 20).next == "two"
    assert reader.read("one", 1, None, ("alert.",), 100, 1 << 20).lines == []
    assert not reader.read("four", 1, None, ("",), 100, 1 << 20).known


def test_a_line_that_is_none_ends_no_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that is there for good, nor one that was read while the writer took it back for want of room."""
    path = tmp_path / "journal"
    write(path, *(event(seq, "one") for seq in (1, 2)))
    with path.open("ab") as torn:
        torn.write(b"half a line\n")
    whole = path.read_bytes()
    write(path, *(event(seq, "one") for seq in (3, 4)))
    write(path, event(1, "two"))
    monkeypatch.setattr("monitor.journal.journal_reader.STRIDE", len(whole))
    found = JournalReader(path).read("one", 1, None, ("",), 1000, 1 << 20)
    assert [json.loads(line)["seq"] for line in found.lines] == [1, 2, 3, 4]
    assert (found.missing, found.end, found.next) == ([], True, "two")

    read, corrupt = journal_files.pread, [True]

    def once_stale(fd: int, size: int, offset: int) -> bytes:
        block = read(fd, size, offset)
        if offset and corrupt and b'"seq":3' in block:
            corrupt.clear()
            return block.replace(b'"seq":3,', b'"se"seq')
        return block

    monkeypatch.setattr(journal_files, "pread", once_stale)
    found = JournalReader(path).read("one", 2, None, ("",), 1000, 1 << 20)
    assert [json.loads(line)["seq"] for line in found.lines] == [2, 3, 4]
    assert (found.missing, found.end, found.next) == ([], True, "two")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_no_file_is_passed_over_when_it_is_rotated_while_it_is_read(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once the names of the files have been read, or just before: the writer moves its file away and goes on."""
    path = small_files(tmp_path / "journal", 20, monkeypatch)
    names = journal_files.rotated_files
    seqs = iter(range(21, 200))

    def rotating(journal: Path) -> list[Path]:
        found = names(journal) if moment == "after" else []
        monkeypatch.setattr(journal_files, "rotated_files", names)
        write(path, *(event(next(seqs)) for _ in range(12)), rotate_mib=1)
        monkeypatch.setattr(journal_files, "rotated_files", rotating)
        return found or names(journal)

    monkeypatch.setattr(journal_files, "rotated_files", rotating)
    read = JournalReader(path).read("one", 1, None, [""], 1000, 1 << 20)
    assert read.missing == []
    assert [json.loads(line)["seq"] for line in read.lines] == list(range(1, read.until + 1))
    assert read.until >= 20
    ran = run_here(capfd, "verify", path)
    assert ran.status == 0, ran.out
