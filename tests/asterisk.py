"""A real Asterisk on loopback: its configuration, and the calls that it is told to make.

Found as `asterisk`, or below ASTERISK_ROOT: a folder into which the packages of a distribution were unpacked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(os.environ.get("ASTERISK_ROOT", "/"))
MODULES = (
    "pbx_config app_playback res_rtp_asterisk res_rtp_multicast res_clioriginate bridge_simple res_timing_timerfd "
    "codec_ulaw codec_alaw codec_resample format_wav format_pcm "
    "res_audiosocket app_audiosocket chan_audiosocket chan_rtp "
    "res_http_websocket res_websocket_client chan_websocket "
    "res_sorcery_config res_sorcery_memory res_sorcery_astdb res_pjproject res_pjsip res_pjsip_pubsub "
    "res_pjsip_session res_pjsip_sdp_rtp res_pjsip_endpoint_identifier_anonymous chan_pjsip"
)
UUIDS = {name: f"40325ec2-5efd-4bd3-805f-53576e581d1{i}" for i, name in enumerate(("application", "channel", "phone"))}


def program() -> list[str]:
    """The command, [] where there is none. Packages that were unpacked bring their own loader and libraries."""
    if str(ROOT) == "/":
        found = shutil.which("asterisk")
        return [found] if found else []
    loader = next(ROOT.glob("lib64/ld-linux-*.so.*"), None)
    if loader is None:
        return []
    folders = ":".join(map(str, (*ROOT.glob("lib/*-linux-gnu"), *ROOT.glob("usr/lib/*-linux-gnu"))))
    return [str(loader), "--library-path", folders, str(ROOT / "usr/sbin/asterisk")]


def version() -> str:
    """What it says of itself, "" where there is none."""
    command = program()
    if not command:
        return ""
    return subprocess.run([*command, "-V"], capture_output=True, text=True, check=False).stdout.strip()


def configure(folder: Path, speech: Path, sip: int, rtp: int, audiosocket: int, websocket: int) -> list[str]:
    """Write a configuration: calls play a recording (wav, 8 kHz) to the taps at these ports. Returns the command."""
    modules = next(ROOT.glob("usr/lib/*/asterisk/modules"))
    for name in ("lib", "spool", "run", "log"):
        (folder / name).mkdir(parents=True)
    places = {"astetcdir": folder, "astmoddir": modules, "astdatadir": ROOT / "usr/share/asterisk"}
    places |= {f"ast{name}dir": folder / "lib" for name in ("varlib", "db", "key", "agi")}
    places |= {f"ast{name}dir": folder / name for name in ("spool", "run", "log")}
    files = {
        "asterisk": "[directories]\n" + "".join(f"{name} => {place}\n" for name, place in places.items()),
        "modules": "[modules]\nautoload=no\n" + "".join(f"load={name}.so\n" for name in MODULES.split()),
        "logger": "[logfiles]\nconsole => warning,error\n",
        "rtp": f"[general]\nrtpstart={rtp}\nrtpend={rtp + 40}\n",
        "extensions": (
            f"[speak]\nexten => s,1,Answer()\n same => n,Playback({speech.with_suffix('')})\n same => n,Hangup()\n"
            f"[phones]\nexten => _.,1,Answer()\n same => n,AudioSocket({UUIDS['phone']},127.0.0.1:{audiosocket})\n"
        ),
        "pjsip": (
            f"[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{sip}\n"
            "[anonymous]\ntype=endpoint\ncontext=phones\ndisallow=all\nallow=ulaw\n"
        ),
        "websocket_client": (
            f"[monitor]\ntype=websocket_client\nuri=ws://127.0.0.1:{websocket}/asterisk\nprotocols=media\n"
            "connection_type=per_call_config\ntls_enabled=no\n"
        ),
    }
    for name, text in files.items():
        (folder / f"{name}.conf").write_text(text)
    return [*program(), "-C", str(folder / "asterisk.conf"), "-f", "-g"]


def originate(folder: Path, words: str) -> None:
    """Have the running one make a call that speaks the recording."""
    command = [*program(), "-C", str(folder / "asterisk.conf"), "-rx", f"channel originate {words}"]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
