"""What the speed benchmarks make of times that were measured in pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import commands
from benchmarks.before import BEFORE, THIS, checkouts, times_less


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_times() -> None:
    """A machine that slows down slows both of a round."""
    assert times_less({THIS: [1.0, 2.0, 3.0], BEFORE: [4.0, 6.0, 15.0]}) == 4.0
    assert times_less({THIS: [1.0]}) is None


def test_an_hour_is_calculated_from_start_and_slope() -> None:
    minutes = 2.0 + commands.START_MIN
    found = {commands.START: {THIS: [3.0]}, commands.HOUR: {THIS: [5.0]}}
    commands.by_the_hour(found, minutes)
    assert found[commands.HOUR][THIS] == [pytest.approx(3.0 + 1.0 * (60.0 - commands.START_MIN))]


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no checkout"):
        checkouts(tmp_path)
    (tmp_path / "monitor").mkdir()
    assert checkouts(tmp_path)[BEFORE] == tmp_path
    assert list(checkouts(None)) == [THIS]
