"""Names of files are made of what peers call their calls: whatever that is, a disk takes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.disk.file_names import LONGEST_BYTES, file_part

POISON = ("𐍈" * 200, "ÿ" * 61, "a" * 10_000, "../../etc/passwd", "\ud800" * 90, "", "con", "a\x00b", "~" * 300)


@pytest.mark.parametrize("name", POISON)
def test_a_disk_takes_every_name(tmp_path: Path, name: str) -> None:
    part = file_part(name)
    assert len(part.encode()) <= LONGEST_BYTES
    (tmp_path / f".writing-20260131T120000Z-alert-{part}-{part}-9f3c1a").mkdir()


@given(st.text(max_size=300))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_every_name_is_bounded_and_holds_no_separator(name: str) -> None:
    part = file_part(name)
    assert 0 < len(part.encode()) <= LONGEST_BYTES
    assert not {"/", "\\", "\x00", ".", ":"} & set(part)


def test_long_names_that_begin_alike_stay_apart_and_short_ones_stay_readable() -> None:
    assert file_part("x" * 500 + "1") != file_part("x" * 500 + "2")
    assert file_part("Łukasz-42") == "Łukasz-42"
