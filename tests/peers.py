"""Real senders of RTP that nobody here wrote: GStreamer, ffmpeg, baresip, sipp. Each as a command line."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
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


def gstreamer(
    wav: Path, codec: str, port: int, network: str = "", host: str = "127.0.0.1", encoder: str = ""
) -> list[str]:
    """Plays a recording in real time, 20 ms a packet, perhaps over a bad network or with another encoder."""
    _, rate, pay, _ = CODECS[codec]
    pay = encoder or pay
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


BARESIP = """poll_method epoll
sip_listen 127.0.0.1:{sip}
net_interface 127.0.0.1
rtp_ports {rtp}-{rtp_last}
audio_source aufile,{wav}
audio_player aufile,{directory}/heard.wav
audio_alert aufile,/dev/null
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
module_path {modules}
module stdio.so
module g711.so
module aufile.so
module_tmp account.so
module_app menu.so
"""


def baresip(directory: Path, wav: Path, callee: int, seconds: int, control: int = 0) -> list[str]:
    """A phone that speaks a recording (mono, 8 kHz) to the SIP port of a callee on loopback.

    control: TCP port at which it takes commands; 0 = none.
    """
    modules = next(p for p in ("/usr/lib/baresip/modules", "/usr/lib64/baresip/modules") if Path(p).is_dir())
    rtp, sip = free_port() // 40 * 40, free_port()
    directory.mkdir(parents=True, exist_ok=True)
    text = BARESIP.format(sip=sip, rtp=rtp, rtp_last=rtp + 20, wav=wav, directory=directory, modules=modules)
    if control:
        text += f"module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{control}\n"
    (directory / "config").write_text(text)
    account = f"<sip:caller@127.0.0.1:{sip};transport=udp>;regint=0;audio_codecs=PCMU/8000/1,PCMA/8000/1\n"
    (directory / "accounts").write_text(account)
    (directory / "contacts").write_text("")
    return ["baresip", "-f", str(directory), "-t", str(seconds), "-e", f"/dial sip:service@127.0.0.1:{callee}"]


def send_command(control: int, command: str) -> bytes:
    """Have a running baresip do something. Returns its answer."""
    message = json.dumps({"command": command}).encode()
    with socket.create_connection(("127.0.0.1", control), 10) as phone:
        phone.sendall(b"%d:%s," % (len(message), message))
        return phone.recv(4096)


def _sipp(scenario: str, path: Path, changes: dict[str, str]) -> Path:
    """One of sipp's own scenarios, with something else in it."""
    text = subprocess.run(["sipp", "-sd", scenario], capture_output=True, text=True, check=False).stdout
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


def sipp_answers(directory: Path, port: int, media_port: int) -> list[str]:
    """Answers one call, and asks for its audio at another port."""
    scenario = _sipp("uas", directory / "uas.xml", {"[media_port]": str(media_port)})
    return ["sipp", "-sf", str(scenario), "-i", "127.0.0.1", "-p", str(port), "-m", "1", "-nostdin"]


def sipp_answers_again(directory: Path, port: int, media_port: int) -> list[str]:
    """As sipp_answers(); is put on hold, and when it is taken back asks for A-law where there was mu-law."""
    command = sipp_answers(directory, port, media_port)
    path = directory / "uas.xml"
    text = path.read_text()
    first = text[text.index('<send retrans="500">') : text.index('<recv request="BYE">')]
    again = '<recv request="INVITE"/>' + first.replace("[last_To:];tag=[pid]SIPpTag01[call_number]", "[last_To:]")
    held = again.replace("PCMU/8000", "PCMU/8000\n      a=recvonly").replace("2353687637", "2353687638")
    back = (
        again.replace("RTP/AVP 0", "RTP/AVP 8")
        .replace("0 PCMU/8000", "8 PCMA/8000")
        .replace("2353687637", "2353687639")
    )
    path.write_text(text.replace(first, first + held + back))
    return command


def sipp_plays_its_capture(directory: Path, callee: int) -> list[str]:
    """Calls and plays what sipp ships: A-law in packets of 30 ms, then a key press (RFC 2833) under another SSRC."""
    scenario = _sipp("uac_pcap", directory / "uac.xml", {'="pcap/': '="/usr/share/sip-tester/'})
    own = ["-i", "127.0.0.1", "-p", str(free_port()), "-mp", str(free_port())]
    return ["sipp", "-sf", str(scenario), *own, f"127.0.0.1:{callee}", "-m", "1", "-nostdin"]
