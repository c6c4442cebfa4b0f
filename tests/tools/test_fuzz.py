"""The harnesses of `make fuzz` without its fuzzer: valid inputs, damaged ones, and those that once found something."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fuzz.harness import HARNESSES, NASTY, load

pytestmark = pytest.mark.slow

DAMAGED = 100


def nasty() -> list[Path]:
    return [path for path in sorted(NASTY.rglob("*")) if path.is_file()]


@pytest.mark.parametrize("name", HARNESSES)
def test_parsers_take_what_is_valid_and_what_is_damaged(name: str) -> None:
    harness, chance = load(name), random.Random(name)
    assert harness.seeds
    for seed in harness.seeds:
        assert len(seed) <= harness.longest
        harness.feed(seed)
    for _ in range(DAMAGED):
        data = bytearray(chance.choice(harness.seeds))
        for _ in range(chance.randrange(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        harness.feed(bytes(data[: chance.randrange(1, 2 * len(data))]))


@pytest.mark.parametrize("path", nasty(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_once_found_something_finds_nothing_any_more(path: Path) -> None:
    load(path.parent.name).feed(path.read_bytes())


def test_a_harness_raises_what_its_parser_does_not_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(_: bytes) -> None:
        raise IndexError

    monkeypatch.setattr("fuzz.rtp.parse_rtp", faulty)
    with pytest.raises(IndexError):
        load("rtp-packet").feed(bytes(12))
