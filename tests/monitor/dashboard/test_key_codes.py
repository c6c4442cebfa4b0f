"""What terminals send for keys and the mouse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.dashboard.key_codes import KeyCodes


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"aZ/?", ["a", "Z", "/", "?"]),
        (b"\x1b[A\x1b[A\x1b[B", ["up", "up", "down"]),
        (b"\x1bOA\x1bOH\x1b[F", ["up", "home", "end"]),
        (b"\x1b[5~\x1b[6~\x1b[1~", ["page up", "page down", "home"]),
        (b"\x1b", ["escape"]),
        (b"\r\n\x7f\b", ["enter", "enter", "backspace", "backspace"]),
        (b"\x1b[<0;10;4M\x1b[<0;10;4m", ["click 9 3"]),
        (b"\x1b[<64;1;1M\x1b[<65;1;1M", ["up", "down"]),
        (b"\x1b[<2;5;5M\x1b[<35;5;5M", []),
        (b"\x1bOP\x1b[15~\x1bx\x01", []),
        ("ü→".encode(), ["ü", "→"]),
    ],
)
def test_sequences_have_names(sent: bytes, keys: list[str]) -> None:
    assert KeyCodes().feed(sent) == keys


@pytest.mark.parametrize("sent", [b"\x1b[<0;10;4M", b"\x1b[5~", "ü".encode(), "\U0001f600".encode()])
def test_a_sequence_may_come_in_two_reads(sent: bytes) -> None:
    whole = KeyCodes().feed(sent)
    for cut in range(1, len(sent)):
        if sent[:cut] == b"\x1b":  # then it is the escape key
            continue
        codes = KeyCodes()
        assert [*codes.feed(sent[:cut]), *codes.feed(sent[cut:])] == whole, cut


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_whatever_is_sent_gives_keys_that_can_be_shown(reads: list[bytes]) -> None:
    codes = KeyCodes()
    keys = [key for data in reads for key in codes.feed(data)]
    assert all(key.isprintable() and key for key in keys)
