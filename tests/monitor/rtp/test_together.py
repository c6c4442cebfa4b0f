"""Many streams decoded and resampled at once give what each gives alone, packet by packet, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from rtp_senders import FORMATS, packets, sent

from monitor.rtp import together
from monitor.rtp.packet import RtpPacket
from monitor.rtp.rtp_stream import RtpStream
from monitor.rtp.sound import DecodedAudio, join
from monitor.rtp.together import give_together


def damaged(some: list[RtpPacket], seed: int) -> list[RtpPacket]:
    """Some are lost, swapped, of another payload type or cut short, and there are pauses."""
    rng = np.random.default_rng(seed)
    out, pause = [], 0
    for i, packet in enumerate(some):
        pause += 1600 * int(rng.random() < 0.02)
        moved = packet._replace(timestamp=packet.timestamp + pause & 0xFFFF_FFFF)
        what = rng.random()
        if what < 0.03:
            continue
        if what < 0.06:
            moved = moved._replace(payload_type=int(rng.choice([0, 8, 13, 101])))
        elif what < 0.07:
            moved = moved._replace(missing=40)
        elif what < 0.09:
            moved = moved._replace(payload=moved.payload[: int(rng.integers(0, 160))])
        out.insert(len(out) - int(rng.random() < 0.03), moved) if i else out.append(moved)
    return out


def senders() -> list[list[RtpPacket]]:
    mu, a, wide = (sent(kind, name, 3.0)[1] for kind, name in ((0, "pcm_mulaw"), (8, "pcm_alaw"), (9, "g722")))
    short = packets(0, [packet.payload[at : at + 40] for packet in mu for at in range(0, 160, 40)], 40)
    return [mu, a, wide, short, *(damaged(one, seed) for seed, one in enumerate([mu, a, mu, wide, short, a]))]


@pytest.mark.parametrize("seed", range(4))
def test_streams_together_give_what_each_gives_alone_to_the_bit(seed: int) -> None:
    given = senders()
    alone, streams = [RtpStream(FORMATS) for _ in given], [RtpStream(FORMATS) for _ in given]
    expected: list[list[DecodedAudio]] = [[] for _ in given]
    got: list[list[DecodedAudio]] = [[] for _ in given]
    rng, at = np.random.default_rng(seed), [0] * len(given)
    for _ in range(200):
        for i, one in enumerate(given):
            for packet in one[at[i] : at[i] + int(rng.integers(0, 5))]:
                expected[i].append(alone[i].push(packet, at[i] * 0.02))
                streams[i].order.hold(packet, at[i] * 0.02)
                at[i] += 1
        for pieces, sound in zip(got, give_together(streams), strict=True):
            pieces.append(sound)
    for i, (one, many) in enumerate(zip(alone, streams, strict=True)):
        before, after = join([*expected[i], one.finish()]), join([*got[i], many.finish()])
        assert len(before) > 16_000
        assert np.array_equal(before.samples, after.samples, equal_nan=True)
        assert np.array_equal(before.lost, after.lost)
        assert one.order.jitter == many.order.jitter
        assert (one.bad, one.skipped, one.unscored) == (many.bad, many.skipped, many.unscored)


def test_streams_without_a_gap_are_resampled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(resamplers, samples, pieces):  # type: ignore[no-untyped-def]
        sizes.append(len(pieces))
        return push_together(resamplers, samples, pieces)

    push_together = together.push_together
    monkeypatch.setattr(together, "push_together", counted)
    sending = sent(0, "pcm_mulaw", 1.0)[1]
    streams = [RtpStream(FORMATS) for _ in range(7)]
    for begin in range(0, len(sending), 5):
        for i, packet in enumerate(sending[begin : begin + 5]):
            for stream in streams:
                stream.order.hold(packet, (begin + i) * 0.02)
        give_together(streams)
    assert sizes[-5:] == [7] * 5
