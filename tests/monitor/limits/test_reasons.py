"""Reasons stay readable and few, whatever values peers choose."""

from __future__ import annotations

import json

import pytest

from monitor.limits.json_text import DEEPEST, read_json
from monitor.limits.reasons import MOST, MOST_VALUES, OTHER, Reasons


def test_values_stand_apart_from_the_reason_and_are_few_and_clean() -> None:
    counts = Reasons()
    for value in [*range(100), "x" * 1000, "a\x1b[2Jb"]:
        counts.note("a payload type without a name", value)
    assert dict(counts) == {"a payload type without a name": 102}
    words = counts.words("a payload type without a name")
    assert words == f"a payload type without a name (0, 1, 2, 3, 4; {102 - MOST_VALUES} more not named)"
    counts.note("another", "a\x1b[2J" + "b" * 100)
    assert "\x1b" not in counts.words("another")
    assert len(counts.words("another")) < 60
    assert counts.words("never seen") == "never seen"


def test_more_reasons_than_there_can_be_are_one() -> None:
    counts = Reasons()
    for number in range(1000):
        counts[f"reason {number}"] += 1
        counts.note(f"noted {number}", number)
    assert len(counts) == MOST + 1
    assert sum(counts.values()) == 2000
    counts["reason 1"] += 1
    assert (counts["reason 1"], counts[OTHER]) == (2, 2000 - MOST)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 50 + "1" + "}" * 50, "{", "nan"])
def test_what_is_no_json_or_too_deep_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested too deeply|Expecting"):
        read_json(text)


def test_json_of_usual_depth_is_read() -> None:
    value = {"a": [{"b": [1, 2, {"c": None}]}]}
    assert read_json(json.dumps(value)) == value
    assert read_json("[" * DEEPEST + "]" * DEEPEST)
