"""Real senders of RTP that nobody here wrote: GStreamer, ffmpeg, baresip, sipp. Each as a command line."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

CODECS = {  # name: payload type, rate of the audio, GStreamer's encoder and payloader, ffmpeg's options
    "PCMU": (0, 8000, "mulawenc ! rtppcmupay", ("-c:a", "pcm_mulaw", "-ar", "8000")),
    "PCMA": (8, 8000, "alawenc ! rtppcmapay", ("-c:a", "pcm_alaw", "-ar", "8000")),
    "G722": (9, 16_000, "avenc_g722 ! rtpg722pay", ("-c:a", "g722", "-ar", "16000")),
    "L16": (97, 16_000, "audioconvert ! rtpL16pay pt=97", ("-c:a", "pcm_s16be", "-ar", "16000", "-payload_type", "97")),
    "OPUS": (
        96,
        48_000,
        "opusenc bitrate=24000 frame-size=20 ! rtpopuspay pt=96",
        ("-c:a", "libopus", "-ar", "48000", "-payload_type", "96"),
    ),
}
DYNAMIC = '{ 96 = "opus/48000/2", 97 = "L16/16000/1" }'
BAD_NETWORK = (
    "identity sync=true ! netsim delay-probability=0.3 min-delay=5 max-delay=90 drop-probability=0.05 "
    "duplicate-probability=0.02 allow-reordering=true"
)
"""5 % loss, reordering and 90 ms jitter."""


def gstreamer(wav: Path, codec: str, port: int, network: str = "", host: str = "127.0.0.1") -> list[str]:
    """Plays a recording in real time, 20 ms a packet, perhaps over a bad network."""
    _, rate, pay, _ = CODECS[codec]
    timing = "min-ptime=20000000 max-ptime=20000000" if codec != "OPUS" else ""
    ending = f"{network} ! udpsink sync=false" if network else "udpsink"
    text = (
        f"gst-launch-1.0 -q filesrc location={wav} ! wavparse ! audioconvert ! audioresample ! "
        f"audio/x-raw,rate={rate},channels=1 ! {pay} {timing} ! {ending} host={host} port={port}"
    )
    return text.split()


def ffmpeg(wav: Path, codec: str, port: int) -> list[str]:
    """Plays a recording in real time, in the bursts that ffmpeg makes."""
    target = f"rtp://127.0.0.1:{port}"
    options = ["-ac", "1", *CODECS[codec][3], "-f", "rtp", target]
    return ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-i", str(wav), *options]


def missing(*programs: str) -> str:
    """Why a test cannot run here, or ""."""
    absent = [program for program in programs if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def free_port(host: str = "127.0.0.1") -> int:
    """An even UDP port that is free, and the odd one above it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as other:
            one.bind((host, 0))
            port = int(one.getsockname()[1])
            try:
                other.bind((host, port + 1))
            except OSError:
                continue
            if port % 2 == 0:
                return port
