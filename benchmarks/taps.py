"""Every tap against `monitor serve`: when it alerts on a call that turns synthetic, and how far its scores are from
those of the file.

The call is that of `monitor demo`: a human voice, from its middle on re-synthesised; with two parties the other one is
human throughout. Each simulator of monitor/simulate/registry.py plays it, with one party and with two, over a good
network; RTP also over one that loses 5 % and one that reorders, the others over one that delays by up to 60 ms; into
one server with the weights that ship. The same audio through the same codec, as a file, through `monitor replay` says
what the scores should be.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import RESULTS, configuration, log, machine, parser, scorer_of, warn_if_busy, write
from benchmarks.event_listener import EventListener
from benchmarks.file_scores import INTERVAL_MS, FileScores, difference, replayed
from benchmarks.programs import START_S, free_address, listening, start
from monitor.audio import Audio
from monitor.errors import BadInputError
from monitor.rtp.payload import PayloadFormat
from monitor.session.demo_call import make_call, read_mono
from monitor.simulate.plan import Impairments
from monitor.simulate.play import parse_options
from monitor.simulate.registry import PEERS, make_peer
from monitor.simulate.simulated_peer import RefusedCallError, SimulatedCall, SimulationCounts
from monitor.types import SAMPLE_RATE

DATAGRAMS = {"clean": Impairments(), "5 % loss": Impairments(loss=0.05), "reorder": Impairments(reorder=True)}
CONNECTIONS = {"clean": Impairments(), "jitter 60 ms": Impairments(jitter_ms=60.0)}
"""Networks: over TCP nothing is lost and nothing overtakes, but all may come late."""
SETTLE_S, END_S = 1.0, 15.0
AUDIOHOOK = ("benchmark", "YSBiZW5jaG1hcmsncyBzZWNyZXQga2V5LCBub3QgYSBzZWNyZXQ=")


PCMU, LINEAR, WIDE = PayloadFormat("PCMU", 8000), PayloadFormat("L16", 8000), PayloadFormat("L16", 16_000)


@dataclass(frozen=True)
class Arrangement:
    """codec: what the tap's simulator sends by itself. options: that it needs. serve: settings that the tap needs.
    parties: the most that one connection carries.
    """

    codec: PayloadFormat = PCMU
    options: tuple[str, ...] = ()
    serve: tuple[str, ...] = ()
    parties: int = 2


ARRANGEMENTS: Mapping[str, Arrangement] = {
    "audiosocket": Arrangement(LINEAR),
    "exotel": Arrangement(LINEAR, parties=1),
    "plivo": Arrangement(LINEAR),
    "fonoster": Arrangement(parties=1),
    "asterisk": Arrangement(LINEAR, parties=1),
    "audiofork": Arrangement(WIDE),
    "audiostream": Arrangement(LINEAR),
    "vonage": Arrangement(WIDE, parties=1),
    "audiohook": Arrangement(
        options=(f"key={AUDIOHOOK[0]}", f"secret={AUDIOHOOK[1]}"),
        serve=("--set", f'taps.audiohook.keys={{{AUDIOHOOK[0]}="{AUDIOHOOK[1]}"}}'),
    ),
}
"""Taps that need something; the others send PCMU."""


def arrangement(tap: str) -> Arrangement:
    """Return what a tap needs."""
    return ARRANGEMENTS.get(tap, Arrangement())


@dataclass
class Played:
    """One call: its events by channel, its fault."""

    tap: str
    network: str
    parties: int
    calls: set[str] = field(default_factory=set)
    fault: str = ""


def target(tap: str, usual: str, places: Mapping[str, str], parties: int) -> str:
    """Return the address that a simulator plays to: its usual one, on our ports."""
    if "://" in usual:
        return re.sub(r"//[^/]+", f"//{places['websocket']}", usual, count=1)
    return places["rtp stereo" if tap == "rtp" and parties == 2 else tap]


async def play(tap: str, audio: Sequence[Audio], places: Mapping[str, str], listener: EventListener) -> list[Played]:
    """Return all calls of a tap, side by side: which call is whose is told by when it begins."""
    peer, tasks = make_peer(tap), []
    found: list[Played] = []
    options = parse_options(arrangement(tap).options)

    async def one(played: Played, call: SimulatedCall) -> None:
        try:
            await peer.play(call, SimulationCounts())
        except (RefusedCallError, BadInputError, OSError) as error:
            played.fault = str(error)

    most = arrangement(tap).parties
    for parties, spoken in enumerate(audio[:most], 1):
        for network, impairments in (DATAGRAMS if tap == "rtp" else CONNECTIONS).items():
            before = {event.call for event in listener.of("call.started")}
            played = Played(tap, network, parties)
            to = target(tap, peer.to, places, parties)
            call = SimulatedCall(len(found), spoken, to, impairments, options)
            tasks.append(asyncio.create_task(one(played, call)))
            await asyncio.sleep(SETTLE_S)
            played.calls = {event.call for event in listener.of("call.started")} - before
            found.append(played)
    await asyncio.gather(*tasks)
    until = time.monotonic() + END_S
    own = {call for played in found for call in played.calls}
    while own - {event.call for event in listener.of("call.ended")} and time.monotonic() < until:
        await asyncio.sleep(0.2)
    return found


def judged(played: Played, listener: EventListener, wanted: FileScores, turn_s: float) -> dict[str, Any]:
    """Return the figures of a call: of the channel that alerted first, against the file."""
    own = [event for event in list(listener.events) if event.call in played.calls]
    alerts = [event for event in own if event.type == "alert.opened"]
    after = [event.sample / SAMPLE_RATE - turn_s for event in alerts]
    figures: dict[str, Any] = {"tap": played.tap, "parties": played.parties, "network": played.network}
    lost = [float(str(event.data["lost_s"])) for event in own if event.type == "call.ended"]
    figures |= {"alert_after_s": round(min(after), 2) if after else None, "alerts": len(alerts)}
    figures |= {"lost_s": round(sum(lost), 2), "fault": played.fault}
    if alerts:
        whose = alerts[0].call, alerts[0].channel
        scores = [event for event in own if event.type == "score" and (event.call, event.channel) == whose]
        off = [difference(event, wanted) for event in scores]
        figures |= {
            "p_fake_off_by": round(max((p for p, _ in off), default=0.0), 4),
            "llr_off_by": round(max((llr for _, llr in off), default=0.0), 3),
        }
    return figures


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of docs/taps.md."""
    lines = [
        "| tap | parties | network | alert after the turn, s | alerts | p_fake off by | llr off by, nats | lost, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        after = "none" if row["alert_after_s"] is None else f"{row['alert_after_s']:.2f}"
        off = [f"{row[key]:.{n}f}" if key in row else "-" for key, n in (("p_fake_off_by", 3), ("llr_off_by", 2))]
        tail = f"{row['lost_s']:.2f}" + (f" ({row['fault']})" if row["fault"] else "")
        cells = [row["tap"], row["parties"], row["network"], after, row["alerts"], *off, tail]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _ready(server: subprocess.Popen[bytes], listener: EventListener, ports: Sequence[int]) -> bool:
    """Wait until the server sends heartbeats and listens at all ports; False where it ends or takes too long."""
    until = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < until:
        if listener.of("health") and all(map(listening, ports)):
            return True
        time.sleep(0.1)
    return False


def served(taps: Sequence[str], weights: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """Return every call of these taps, judged."""
    turn_s = make_call(None, folder / "call.wav")
    turning = read_mono(folder / "call.wav")
    human = np.resize(turning[: int(turn_s * SAMPLE_RATE)], len(turning))
    audio = [turning[None], np.stack([human, turning])]
    address, *ports = (free_address() for _ in range(6))
    one, left, right, tcp, web = (int(each.rpartition(":")[2]) for each in ports)
    places = {"rtp": f"127.0.0.1:{one}", "rtp stereo": f"127.0.0.1:{left}+{right}"}
    places |= {"audiosocket": f"127.0.0.1:{tcp}", "websocket": f"127.0.0.1:{web}"}
    words = ["serve", "--rtp", places["rtp"], "--rtp", places["rtp stereo"], "--audiosocket", places["audiosocket"]]
    words += ["--publish", address, "--screen", "off", "--set", f"serve.score_interval_ms={INTERVAL_MS}", *weights]
    if any("://" in make_peer(tap).to for tap in taps):
        words += ["--websocket", places["websocket"]]
    for tap in taps:
        words += arrangement(tap).serve
    forms = {tap: arrangement(tap).codec for tap in taps}
    wanted = {form: replayed(form, turning, weights, folder) for form in dict.fromkeys(forms.values())}
    rows: list[dict[str, Any]] = []
    listener = EventListener(address)
    over_tcp = [port for port in (tcp, web) if f"127.0.0.1:{port}" in words]
    with (folder / "log").open("wb") as log_file:
        server = start(words, log_file)
        try:
            if not _ready(server, listener, over_tcp):
                sys.exit(f"error: the monitor did not start: {(folder / 'log').read_text(errors='replace')[-500:]}")
            for tap in taps:
                found = asyncio.run(play(tap, audio, places, listener))
                rows += [judged(played, listener, wanted[forms[tap]], turn_s) for played in found]
                once = sum(row["alerts"] == 1 for row in rows[-len(found) :])
                log(f"{tap}: {once} of {len(found)} calls alerted once")
        finally:
            server.terminate()
            server.wait(END_S)
            listener.close()
    return rows


def main() -> None:
    options = parser("taps", "Every tap: time to the alert, and scores against those of the file.")
    options.add_argument("--taps", default=",".join(PEERS), help="which, with commas (default: all)")
    options.add_argument("--table", type=Path, default=RESULTS / "taps.md", help="the table, for docs/taps.md")
    given = options.parse_args()
    warn_if_busy()
    scorer = scorer_of(configuration(given.weights))
    weights = [] if given.weights == "default" else ["--weights", given.weights]
    with tempfile.TemporaryDirectory() as name:
        rows = served(given.taps.split(","), weights, Path(name))
    table = markdown(rows)
    print(table)
    given.table.parent.mkdir(parents=True, exist_ok=True)
    given.table.write_text(table + "\n", encoding="utf-8")
    good = [row for row in rows if row["alerts"] == 1 and not row["fault"]]
    figures = {"calls": len(rows), "calls_with_one_alert": len(good), "rows": rows, "machine": machine(scorer)}
    write(given.out, figures)


if __name__ == "__main__":
    main()
