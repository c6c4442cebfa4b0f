"""Frames of AudioSocket: any bytes, in any pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.taps.audiosocket.frame_parser import HEADER, RATES, AudioSocketFrame, FrameParser, pack

FRAMES = st.lists(st.builds(AudioSocketFrame, st.integers(0, 255), st.binary(max_size=400)), max_size=20)
MOST_HELD = HEADER.size + 65_535


def fed(pieces: list[bytes]) -> list[AudioSocketFrame]:
    parser = FrameParser()
    return [frame for piece in pieces for frame in parser.feed(piece)]


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_any_bytes_give_frames_and_never_raise(pieces: list[bytes]) -> None:
    parser = FrameParser()
    for piece in pieces:
        for frame in parser.feed(piece):
            assert 0 <= frame.kind < 256
        assert parser.held < MOST_HELD
    assert fed(pieces) == fed([b"".join(pieces)])


@given(FRAMES, st.data())
def test_any_split_gives_the_same_frames(frames: list[AudioSocketFrame], data: st.DataObject) -> None:
    stream = b"".join(pack(frame.kind, frame.payload) for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert fed(pieces) == frames
    assert fed([bytes([byte]) for byte in stream]) == frames


def test_an_unfinished_frame_waits_for_its_rest() -> None:
    parser = FrameParser()
    assert parser.feed(b"\x10\xff\xff" + bytes(1000)) == []
    assert parser.held == 1003


def test_the_length_is_big_endian_and_the_types_are_asterisks() -> None:
    assert pack(0x10, bytes(320))[:3] == b"\x10\x01\x40"
    assert [RATES[kind] for kind in (0x10, 0x11, 0x12, 0x15, 0x18)] == [8000, 12_000, 16_000, 44_100, 192_000]
