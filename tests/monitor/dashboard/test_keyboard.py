"""Keys are read one by one, and the terminal is restored whatever happens."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminals import WAIT_S, until

from monitor.dashboard.key_reader import KeyReader

pytestmark = pytest.mark.realtime


@pytest.fixture
def tty() -> Iterator[tuple[int, int]]:
    """The two ends of a pseudo-terminal: what a person types into, and what the program reads."""
    person, program = pty.openpty()
    yield person, program
    os.close(person)
    os.close(program)


def test_keys_are_read_one_by_one_and_the_terminal_is_restored(tty: tuple[int, int]) -> None:
    person, program = tty
    before = termios.tcgetattr(program)
    pressed: list[str] = []
    reader = KeyReader(pressed.append, program)
    assert reader.start()
    assert termios.tcgetattr(program)[3] & (termios.ECHO | termios.ICANON) == 0
    os.write(person, b"P")
    assert until(lambda: pressed == ["P"])
    os.write(person, b"\x1b[A\x1bOP")
    os.write(person, b"q")
    reader.close()
    reader.close()
    assert termios.tcgetattr(program) == before
    assert not [t for t in threading.enumerate() if t.name == "keys"]


def test_function_keys_are_no_keys(tty: tuple[int, int]) -> None:
    pressed: list[str] = []
    reader = KeyReader(pressed.append, tty[1])
    reader.start()
    os.write(tty[0], b"\x1bOQ")
    time.sleep(0.2)
    os.write(tty[0], b"m")
    assert until(lambda: bool(pressed))
    reader.close()
    assert pressed == ["m"]


@pytest.mark.parametrize(
    ("typed", "key"), [(b"\x1b[A", "up"), (b"\x1b[B", "down"), (b"\x1b", "escape"), (b"\r", "enter"), (b"\n", "enter")]
)
def test_keys_with_names(tty: tuple[int, int], typed: bytes, key: str) -> None:
    pressed: list[str] = []
    reader = KeyReader(pressed.append, tty[1])
    reader.start()
    os.write(tty[0], typed)
    assert until(lambda: bool(pressed))
    reader.close()
    assert pressed == [key]


def test_the_terminal_is_restored_when_a_key_raises(tty: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    before = termios.tcgetattr(tty[1])
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))

    def fail(key: str) -> None:
        raise RuntimeError(key)

    KeyReader(fail, tty[1]).start()
    os.write(tty[0], b"x")
    assert until(lambda: seen == [RuntimeError])
    assert termios.tcgetattr(tty[1]) == before


def test_keys_end_with_the_terminal() -> None:
    person, program = pty.openpty()
    reader = KeyReader(print, program)
    reader.start()
    os.close(person)
    assert until(lambda: not [t for t in threading.enumerate() if t.name == "keys"])
    reader.close()
    os.close(program)


def test_no_keys_without_a_terminal(tmp_path: Path) -> None:
    with (tmp_path / "input").open("w+") as file:
        reader = KeyReader(print, file.fileno())
        assert not reader.start()
        reader.close()


PROGRAM = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from dashboard_views import view
from monitor.config.schema import DashboardSection
from monitor.dashboard import Dashboard
quit = threading.Event()
dashboard = Dashboard(view, DashboardSection(), on_quit=quit.set)
dashboard.start()
asked = quit.wait(30)
dashboard.close()
print("asked to quit:", asked, "threads:", threading.active_count())
"""


def test_q_in_a_real_terminal_quits_and_restores_it(tty: tuple[int, int]) -> None:
    person, program = tty
    termios.tcsetwinsize(program, (24, 80))
    before = termios.tcgetattr(program)
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parents[2])],
        stdin=program,
        stdout=program,
        stderr=program,
        env=environ,
        start_new_session=True,
    )
    output = read_until(person, b"mute the bell")
    assert b"ALERT" in output
    os.write(person, b"q")
    output = read_until(person, b"threads: 1")
    assert child.wait(WAIT_S) == 0
    assert b"\x1b[?1049l" in output
    assert b"asked to quit: True" in output
    assert termios.tcgetattr(program) == before


def read_until(terminal: int, mark: bytes) -> bytes:
    """What a program writes to its terminal up to a mark."""
    data, end = b"", time.monotonic() + 3 * WAIT_S
    while mark not in data:
        assert time.monotonic() < end, data
        if select.select([terminal], [], [], 0.1)[0]:
            data += os.read(terminal, 65536)
    return data
