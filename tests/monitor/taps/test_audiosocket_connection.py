"""One AudioSocket connection: what it says of good peers, and what bad ones cost."""

from __future__ import annotations

import uuid
from collections import Counter

import numpy as np
import pytest
from helpers import voice
from hypothesis import given
from hypothesis import strategies as st

from model.resample import resample_all
from monitor.audio import Audio
from monitor.rtp.encode import integers
from monitor.taps.audiosocket.connection import FLOOD_S, MOST_CHANGES, MOST_UNKNOWN, AudioSocketCall, AudioSocketRules
from monitor.taps.audiosocket.frame_parser import DTMF, ERROR, HANGUP, RATES, UUID, pack
from monitor.taps.audiosocket.measured_rate import MOST_FRAMES
from monitor.taps.tap_events import CallAudio, CallEnded, CallPaused, CallResumed, CallStarted, TapEvent
from monitor.types import SAMPLE_RATE

NAME = uuid.UUID("7e8c9f2a-0b1c-4d2e-8f3a-4b5c6d7e8f90")
HELLO = pack(UUID, NAME.bytes)
TONE = pack(0x10, integers(voice(0.02)[::2]).astype("<i2").tobytes())


class Peer:
    """A connection, what it asked for, and what it said."""

    def __init__(self, refuses: str = "", allow: frozenset[uuid.UUID] = frozenset()) -> None:
        self.asked: list[CallStarted] = []
        self.result: list[TapEvent] = []
        self.counts: Counter[str] = Counter()
        self.refuses = refuses
        self.conversation = AudioSocketCall(
            ("192.0.2.1", 1), AudioSocketRules(self._accept, allow, 5.0, 10.0), self.counts, 0.0
        )

    def _accept(self, started: CallStarted) -> str:
        self.asked.append(started)
        return self.refuses

    def says(self, data: bytes, at: float = 0.0) -> Peer:
        self.result += self.conversation.feed(data, at)
        return self

    def waits(self, until: float) -> Peer:
        self.result += self.conversation.tick(until)
        return self

    def talks(self, seconds: float, at: float, frame: bytes = TONE, frame_s: float = 0.02) -> float:
        """In real time; returns when it has finished."""
        for i in range(round(seconds / frame_s)):
            self.says(frame, at + i * frame_s)
        return at + seconds

    @property
    def over(self) -> str:
        return self.conversation.over

    @property
    def ended(self) -> list[str]:
        return [h.reason for h in self.result if isinstance(h, CallEnded)]

    def audio(self) -> Audio:
        """What was heard, pauses as silence."""
        pieces = [h for h in self.result if isinstance(h, CallAudio)]
        out = np.zeros(max((p.start + len(p.samples) for p in pieces), default=0), np.float32)
        for p in pieces:
            assert not out[p.start : p.start + len(p.samples)].any(), "no sample twice"
            out[p.start : p.start + len(p.samples)] = p.samples
        return out


@pytest.mark.parametrize("kind", RATES)
def test_a_call_is_heard_from_its_uuid_to_its_hangup_at_every_rate(kind: int) -> None:
    peer, rate = Peer().says(HELLO), RATES[kind]
    spoken = voice(1.0)
    coded = integers(resample_all(spoken, SAMPLE_RATE, rate)).astype("<i2")
    size = rate // 50
    for i in range(50):
        peer.says(pack(kind, coded[i * size : (i + 1) * size].tobytes()), i * 0.02)
    peer.says(pack(HANGUP), 1.0)
    assert peer.asked[0].call == f"audiosocket-{NAME}"
    assert peer.asked[0].peer == "192.0.2.1"
    assert peer.ended == ["the peer hung up"]
    heard = peer.audio()
    assert abs(len(heard) - SAMPLE_RATE) < 400
    if rate >= 12_000:
        n = min(len(heard), len(spoken))
        assert np.corrcoef(heard[:n], spoken[:n])[0, 1] > 0.99


def as_8_khz(rate: int, frame_s: float = 0.02, spoken: Audio | None = None) -> list[bytes]:
    """Frames of audio of any rate, all under the type of 8 kHz."""
    spoken = voice(3.0) if spoken is None else spoken
    coded, size = integers(resample_all(spoken, SAMPLE_RATE, rate)).astype("<i2"), round(rate * frame_s)
    return [pack(0x10, coded[at : at + size].tobytes()) for at in range(0, len(coded) - size + 1, size)]


@pytest.mark.parametrize(("rate", "frame_s"), [(16_000, 0.02), (16_000, 0.01), (24_000, 0.02), (48_000, 0.02)])
@pytest.mark.parametrize("jitter_s", [0.0, 0.06])
def test_the_rate_of_an_older_asterisk_is_known_by_its_pace(rate: int, frame_s: float, jitter_s: float) -> None:
    spoken, late = voice(3.0), np.random.default_rng(1).uniform(0.0, jitter_s, 301)
    peer, at = Peer().says(HELLO), 0.0
    for i, frame in enumerate(as_8_khz(rate, frame_s, spoken)):
        at = max(at, i * frame_s + late[i])
        peer.says(frame, at)
        assert peer.conversation.wait_s(at) == 0.0
    peer.says(pack(HANGUP), at)
    heard = peer.audio()
    assert len(heard) == pytest.approx(len(spoken), abs=400)
    n = min(len(heard), len(spoken))
    assert np.corrcoef(heard[:n], spoken[:n])[0, 1] > 0.99
    assert peer.counts == {f"{rate} Hz by its pace, under the type of 8 kHz": 1}


@pytest.mark.parametrize("frame_s", [0.01, 0.02, 0.04, 0.1])
@pytest.mark.parametrize("stall_s", [0.0, 0.3])
def test_8_khz_is_8_khz_in_frames_of_any_length_and_after_a_stall(frame_s: float, stall_s: float) -> None:
    peer = Peer().says(HELLO)
    for i, frame in enumerate(as_8_khz(8000, frame_s)):
        peer.says(frame, max(i * frame_s, stall_s))
    peer.says(pack(HANGUP), 3.0)
    assert len(peer.audio()) == pytest.approx(3 * SAMPLE_RATE, abs=400)
    assert not peer.counts


def test_the_pace_is_measured_where_a_pause_came_first_and_what_is_held_keeps_its_place() -> None:
    peer = Peer().says(HELLO).waits(2.5)
    for i, frame in enumerate(as_8_khz(16_000)):
        peer.says(frame, 5.0 + 0.02 * i)
    peer.says(pack(HANGUP), 8.0)
    assert len(peer.audio()) == pytest.approx(8 * SAMPLE_RATE, abs=800)
    assert next(h for h in peer.result if isinstance(h, CallAudio)).start == pytest.approx(5 * SAMPLE_RATE, abs=400)


def test_what_is_held_to_be_measured_is_bounded() -> None:
    peer = Peer().says(HELLO)
    for _ in range(MOST_FRAMES + 1):
        peer.says(pack(0x10, bytes(2)), 0.0)
    assert any(isinstance(h, CallAudio) for h in peer.result)


def test_one_byte_a_sample_is_not_scored_as_two() -> None:
    peer = Peer().says(HELLO)
    for i in range(100):
        peer.says(pack(0x10, bytes(160)), 0.02 * i)
    assert peer.ended == ["one byte a sample under the type 0x10: dial with /c(slin) or /c(slin16)"]
    assert not any(isinstance(h, CallAudio) for h in peer.result)


@given(st.lists(st.binary(max_size=400), max_size=20), st.booleans())
def test_any_bytes_are_a_call_or_a_reason(pieces: list[bytes], greets: bool) -> None:
    peer = Peer()
    if greets:
        peer.says(HELLO)
    for i, piece in enumerate(pieces):
        peer.says(piece, i * 0.02)
    peer.result += peer.conversation.gone("the peer closed the connection")
    assert peer.over
    assert len(peer.ended) == len(peer.asked)
    assert all(
        np.isfinite(h.samples).all() or np.isnan(h.samples).any() for h in peer.result if isinstance(h, CallAudio)
    )


def test_another_rate_in_mid_call_goes_on_where_the_first_ended() -> None:
    peer = Peer().says(HELLO)
    wide = pack(0x12, integers(voice(0.02)).astype("<i2").tobytes())
    at = peer.talks(1.0, peer.talks(1.0, 0.0), wide)
    peer.says(pack(HANGUP), at)
    assert len(peer.audio()) == pytest.approx(2 * SAMPLE_RATE, abs=32)
    assert not peer.counts


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (TONE, "no UUID first"),
        (pack(UUID, b"short"), "a UUID of 5 bytes"),
        (HELLO + HELLO, "a second UUID"),
        (HELLO + pack(ERROR, b"\x04"), "the peer says: out of memory"),
        (HELLO + pack(ERROR), "the peer says: error 0"),
        (HELLO + pack(0x55) * (MOST_UNKNOWN + 1), "frames of unknown types only: no AudioSocket, or a wrong length"),
        (
            HELLO + (pack(0x12, bytes(64)) + TONE) * MOST_CHANGES,
            "changes its rate again and again",
        ),
    ],
)
def test_what_a_peer_must_not_do_ends_its_call_and_is_counted(data: bytes, why: str) -> None:
    peer = Peer().says(data)
    assert peer.over == why
    assert peer.counts[why] == 1
    assert peer.ended == [why] * len(peer.asked)
    before = len(peer.result)
    assert len(peer.says(TONE).result) == before


def test_an_odd_frame_is_lost_audio_and_key_presses_are_none() -> None:
    peer = Peer().says(HELLO + pack(0x10, bytes(321)) + pack(DTMF, b"5")).waits(2.1)
    (heard,) = [h for h in peer.result if isinstance(h, CallAudio)]
    assert np.isnan(heard.samples).all()
    assert peer.counts == {"a frame of an odd length": 1}
    assert not peer.over


def test_only_uuids_that_are_allowed_are_asked_for() -> None:
    assert Peer(allow=frozenset([NAME])).says(HELLO).asked
    unknown = Peer(allow=frozenset([uuid.UUID(int=7)])).says(HELLO)
    assert not unknown.asked
    assert unknown.over == "a UUID that taps.audiosocket.allow does not name"
    assert Peer(refuses="too many").says(HELLO).over == "refused: too many"


def test_who_connects_and_says_nothing_is_sent_away() -> None:
    peer = Peer().waits(4.9)
    assert not peer.over
    assert peer.waits(5.1).over == "no UUID within 5 s"
    gone = Peer()
    list(gone.conversation.gone("the peer closed the connection"))
    assert gone.counts == {"a connection that went without a UUID": 1}


def test_who_stops_in_the_middle_of_a_frame_is_given_up() -> None:
    peer = Peer().says(HELLO + TONE[:100])
    assert not peer.waits(9.9).over
    assert peer.waits(10.1).ended == ["stopped in the middle of a frame"]


def test_silence_is_a_pause_in_which_the_clock_moves_on() -> None:
    peer = Peer().says(HELLO)
    at = peer.talks(1.0, 0.0)
    assert peer.conversation.silent(at + 1.1)
    peer.waits(at + 2.5)
    at = peer.talks(1.0, at + 5.0)
    assert [type(h) for h in peer.result if isinstance(h, CallPaused | CallResumed)] == [CallPaused, CallResumed]
    assert [h.quiet for h in peer.result if isinstance(h, CallAudio)].count(True) == 1
    assert len(peer.audio()) / SAMPLE_RATE == pytest.approx(7.0, abs=0.05)
    assert peer.waits(at + 101).ended == ["no audio came for 100 s"]


def test_a_burst_after_a_stall_is_read_more_slowly_and_not_lost() -> None:
    peer = Peer().says(HELLO)
    at = peer.talks(1.0, 0.0) + 5.0
    for _ in range(250):
        peer.says(TONE, at)
        at += peer.conversation.wait_s(at)
    assert not peer.over
    assert sum(len(h.samples) for h in peer.result if isinstance(h, CallAudio)) == pytest.approx(
        6 * SAMPLE_RATE, abs=200
    )
    assert 2.5 < at - 6.0 < 3.5, "half as fast again as time passes"


def test_who_floods_costs_as_much_as_two_calls_and_is_cut_off() -> None:
    peer, at, heard_s = Peer().says(HELLO), 0.0, 0.0
    big = pack(0x10, bytes(32_000))
    while not peer.over:
        peer.says(big, at)
        heard_s += 2.0
        at += peer.conversation.wait_s(at) + 0.001
    assert peer.over == "sends faster than real time"
    assert FLOOD_S < at < FLOOD_S + 3
    assert heard_s < 2.0 * at + 3
