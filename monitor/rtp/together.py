"""Many streams of G.711 decoded and resampled at once: a few long operations cost less than many short ones."""

from __future__ import annotations

from collections.abc import Sequence

from model.resample import push_together
from monitor.rtp.rtp_stream import RtpStream
from monitor.rtp.sound import NOTHING, DecodedAudio


def give_together(streams: Sequence[RtpStream]) -> list[DecodedAudio]:
    """Return what RtpStream.give() of each would, to the bit."""
    given = [NOTHING] * len(streams)
    contiguous: dict[str, list[tuple[int, bytes]]] = {}
    for i, stream in enumerate(streams):
        if (payloads := stream.take_contiguous()) and stream.format is not None:
            contiguous.setdefault(stream.format.encoding, []).append((i, b"".join(payloads)))
        else:
            given[i] = stream.give()
    for members in contiguous.values():
        some = [streams[i] for i, _ in members]
        assert some[0].decoder is not None
        samples = some[0].decoder.decode(b"".join([payloads for _, payloads in members]))
        resampled = push_together([s.resampler for s in some], samples, [len(payloads) for _, payloads in members])
        for (i, _), stream, out in zip(members, some, resampled, strict=True):
            given[i] = stream.placed(out)
    return given
