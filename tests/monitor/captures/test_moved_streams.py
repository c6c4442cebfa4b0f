"""A party whose address changes without signalling: one call, one channel, and the change is said."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from capture_calls import Sent, flow, heard, only
from captured import A, B, End, answer, capture, invite

from monitor.sources.capture_file import CaptureFile

A2, B2 = ("198.51.100.77", 4100), ("192.0.2.2", 5100)


def talk() -> Sent:
    return sorted([*flow(A, B, seconds=5.0), *flow(B, A, 0.3, kind=8, seconds=5.0, ssrc=2)], key=lambda s: s[0])


def renamed(sent: Sent, names: dict[End, End], when: Callable[[float], bool], answers: bool = True) -> Sent:
    """Ends get other names at some times; the one that is sent to only where the other side notices."""
    return [
        (at, names.get(a, a), (names.get(b, b) if answers else b), data) if when(at) else (at, a, b, data)
        for at, a, b, data in sent
    ]


MOVES = {
    "the other side follows": renamed(talk(), {A: A2}, lambda at: at >= 2.0),
    "the other side does not": renamed(talk(), {A: A2}, lambda at: at >= 2.0, answers=False),
    "the port alone": renamed(talk(), {A: (A[0], 4002)}, lambda at: at >= 2.0),
    "and back": renamed(talk(), {A: A2}, lambda at: 2.0 <= at < 3.0),
    "both": renamed(talk(), {A: A2, B: B2}, lambda at: at >= 2.0),
    "before the other spoke": renamed(talk(), {A: A2}, lambda at: at >= 0.3),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_stream_that_goes_on_from_another_address_is_one_call(tmp_path: Path, name: str) -> None:
    plain, _ = heard(only(capture(tmp_path / "plain.pcap", talk())))
    source = only(capture(tmp_path / "a.pcap", MOVES[name]))
    audio, conditions = heard(source)
    assert source.channels == (f"{A[0]}:{A[1]}", f"{B[0]}:{B[1]}")
    assert audio.shape == plain.shape
    assert not np.isnan(audio).any()
    assert all(np.corrcoef(audio[i, 8000:], plain[i, 8000:])[0, 1] > 0.95 for i in range(2))
    movers = source.channels if name == "both" else source.channels[:1]
    assert [(c.code, c.channel) for c in conditions] == [("sender moved", channel) for channel in movers]


def test_what_was_lost_when_it_moved_is_lost_audio(tmp_path: Path) -> None:
    sent = renamed([s for s in talk() if s[1] == B or not 2.0 <= s[0] < 3.0], {A: A2}, lambda at: at >= 2.0)
    audio, conditions = heard(only(capture(tmp_path / "a.pcap", sent)))
    assert np.isnan(audio).sum(1) == pytest.approx([16_000, 0], abs=700)
    assert conditions[0].detail.startswith(f"from 3.0 s on it sends from {A2[0]}:{A2[1]}")


def shifted(sent: Sent, numbers: int = 0, ticks: int = 0) -> Sent:
    """The same packets under other numbers and timestamps."""
    out = []
    for at, a, b, data in sent:
        number, stamp = struct.unpack_from("!HI", data, 2)
        head = struct.pack("!HI", number + numbers & 0xFFFF, stamp + ticks & 0xFFFFFFFF)
        out.append((at, a, b, data[:2] + head + data[8:]))
    return out


@pytest.mark.parametrize(("numbers", "ticks"), [(20_000, 0), (-1, -160), (0, 800_000)])
def test_who_only_has_its_ssrc_is_another_call(tmp_path: Path, numbers: int, ticks: int) -> None:
    later = renamed([s for s in talk() if s[0] >= 2.0 and s[1] == A], {A: A2}, lambda _: True)
    sent = [s for s in talk() if s[0] < 2.0 or s[1] == B]
    calls = CaptureFile(capture(tmp_path / "a.pcap", sorted([*sent, *shifted(later, numbers, ticks)]))).calls
    assert [len(call.legs) for call in calls] == [2, 1]


def test_a_party_of_a_call_with_sip_stays_on_its_channel(tmp_path: Path) -> None:
    sip = [(-0.2, A, B, invite(A, B)), (-0.1, B, A, answer(B))]
    source = only(capture(tmp_path / "a.pcap", [*sip, *MOVES["the other side follows"]]))
    audio, _ = heard(source)
    assert source.channels == ("caller", "callee")
    assert audio.shape[1] == pytest.approx(5.3 * 16_000, abs=500)
