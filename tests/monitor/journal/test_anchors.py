"""Anchors: what is kept of a journal elsewhere finds one that was cut off or written anew."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from helpers import assert_one_error, run_here
from pydantic import ValidationError

from monitor.config.outlets import SyslogSection
from monitor.config.schema import Config, JournalSection
from monitor.events.bus import Bus
from monitor.journal import anchors, chain
from monitor.sinks.journal import JournalSink
from monitor.sinks.memory import MemorySink
from monitor.sinks.syslog import SyslogSink
from monitor.types import Event


def event(seq: int, epoch: str = "one") -> Event:
    return Event("score", "call1", "caller", seq * 160, {}, seq, epoch, "now")


def anchored(path: Path, *runs: tuple[str, int]) -> list[str]:
    """Write runs of so many events each; returns the anchors, one after each event."""
    found = []
    for epoch, count in runs:
        journal = JournalSink(path, JournalSection(anchor_s=1e-9))
        for seq in range(1, count + 1):
            journal.emit(event(seq, epoch))
            data = journal.announcement()
            assert data is not None
            found.append(str(data["anchor"]))
        journal.close()
    return found


def test_an_anchor_is_said_once_and_only_where_it_is_new(tmp_path: Path) -> None:
    journal = JournalSink(tmp_path / "j", JournalSection(anchor_s=1e-9))
    assert journal.announcement() is None, "nothing was written yet"
    journal.emit(event(1))
    data = journal.announcement()
    last = chain.parse((tmp_path / "j").read_bytes().splitlines()[-1])
    assert data is not None
    assert last is not None
    assert (data["anchor"], data["last_seq"], data["code"]) == (last.chain, 1, "journal anchor")
    assert journal.announcement() is None
    journal.close()


def test_a_receiver_of_syslog_has_what_finds_a_journal_that_was_cut_off(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, log = tmp_path / "j", tmp_path / "syslog"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5.0)
        address = f"127.0.0.1:{receiver.getsockname()[1]}"
        journal, memory = JournalSink(path, JournalSection(anchor_s=3600.0)), MemorySink()
        with Bus([journal, SyslogSink(SyslogSection(address=address)), memory]) as bus:
            for seq in range(1, 6):
                bus.publish(event(seq), wait=True)
        log.write_bytes(receiver.recv(65_536) + b"\n")
    assert [e.data["code"] for e in memory.events if e.type == "health"] == ["journal anchor"]
    ran = run_here(capfd, "verify", path, "--anchor", log)
    assert ran.status == 0
    assert "this is the journal of the 1 anchor\nno record stands after that" in ran.out
    assert "caution" not in ran.out
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    ran = run_here(capfd, "verify", path, "--anchor", log)
    assert ran.status == 2
    assert "rewritten or cut off" in ran.out


def test_what_stands_behind_the_newest_anchor_is_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "j"
    found = anchored(path, ("one", 4), ("two", 3))
    ran = run_here(capfd, "verify", path, "--anchor", found[4])
    assert ran.status == 0
    assert "proven: up to seq 1 of two" in ran.out
    assert "not proven by anchors: the 2 records after that" in ran.out
    result = json.loads(run_here(capfd, "verify", path, "--anchor", found[4], "--json").out)
    assert result["anchors"] == {"given": 1, "found": 1, "behind": 2, "at": ["two", 1], "earlier": 0}


@pytest.mark.parametrize("kept", [0, 3, 5], ids=["all anew", "the second run gone", "the end gone"])
def test_a_journal_that_lacks_an_anchor_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str], kept: int) -> None:
    path, log = tmp_path / "j", tmp_path / "anchors"
    log.write_text("\n".join(anchored(path, ("one", 4), ("two", 3))))
    assert run_here(capfd, "verify", path, "--anchor", log).status == 0
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    if kept:
        path.write_bytes(b"".join(lines[:kept]))
    else:
        anchored(path, ("one", 5), ("two", 3))
        lines = path.read_bytes().splitlines(keepends=True)
        before, anew = chain.GENESIS, b""
        for line in lines:
            parsed = chain.parse(line.rstrip())
            assert parsed is not None
            new, before = chain.seal(parsed.event.replace(b"caller", b"callee"), before)
            anew += new + b"\n"
        path.write_bytes(anew)
    assert run_here(capfd, "verify", path).status == 0, "without an anchor nobody can tell"
    ran = run_here(capfd, "verify", path, "--anchor", log)
    assert ran.status == 2
    assert "rewritten or cut off" in ran.out


def test_anchors_of_files_that_are_no_longer_there_are_a_note(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.sinks.journal.MIB", 1 << 10)
    path, log = tmp_path / "j", tmp_path / "anchors"
    journal, found = JournalSink(path, JournalSection(anchor_s=1e-9, rotate_mib=1)), []
    for seq in range(1, 30):
        journal.emit(event(seq))
        data = journal.announcement()
        assert data is not None
        found.append(str(data["anchor"]))
    journal.close()
    log.write_text("\n".join(found))
    assert run_here(capfd, "verify", path, "--anchor", log).status == 0
    (tmp_path / "j.000001").unlink()
    ran = run_here(capfd, "verify", path, "--anchor", log)
    assert ran.status == 0
    assert "older anchors are not in these files" in ran.out
    path.unlink()
    assert run_here(capfd, "verify", path, "--anchor", log).status == 2, "the newest file is gone"


def test_anchors_are_read_from_what_receivers_write() -> None:
    one, two = "a1" * 32, "b2" * 32
    text = (
        f'chain: {one}\n{two}\n{{"type":"health","anchor":"{one}"}}\nno {"c3" * 32}\n{{\\"anchor\\":\\"{"d4" * 32}\\"}}'
    )
    assert anchors.read_anchors(text) == (one, two, "d4" * 32)


def test_bad_anchors_are_one_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "j"
    anchored(path, ("one", 1))
    assert_one_error(run_here(capfd, "verify", path, "--anchor", "nosuch"), "neither a chain value nor a file")
    (tmp_path / "empty").write_text("nothing\n")
    assert_one_error(run_here(capfd, "verify", path, "--anchor", tmp_path / "empty"), "holds no chain value")
    assert_one_error(run_here(capfd, "verify", tmp_path, "--anchor", "a1" * 32), "--anchor is for a journal")


def test_an_anchor_that_goes_nowhere_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"journal\.anchor_s: set"):
        Config.model_validate({"journal": {"anchor_s": 60.0}})
    with pytest.raises(ValidationError, match=r"journal\.anchor_s: set"):
        Config.model_validate({"journal": {"anchor_s": 60.0}, "syslog": {"address": "h:1", "events": ["alert"]}})
    Config.model_validate({"journal": {"anchor_s": 60.0}, "syslog": {"address": "127.0.0.1:514"}})
