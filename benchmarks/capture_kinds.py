"""Datagrams of captures of every kind, beside what tshark reads of them: python -m benchmarks.capture_kinds.

Each file is made here: 50 datagrams over IPv4 and 50 over IPv6, through one link type or tunnel. Prints a table for
docs/recordings.md.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from monitor.captures.frames import packets
from monitor.captures.ip_packets import Datagram

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from capture_files import WRAPPED, wrapped, write_pcap
from captured import A6, B6, A, B

SENT = [(i * 0.02, *ends, bytes([0x80, i]) + bytes(170)) for i in range(50) for ends in ((A, B), (A6, B6))]


def payloads_of_tshark(path: Path) -> Counter[bytes] | None:
    """Return what tshark takes for the innermost datagrams; None where it reads no such file."""
    words = ["-n", "-r", str(path), "-Y", "udp", "-T", "fields", "-E", "occurrence=l", "-e", "udp.payload"]
    done = subprocess.run(["tshark", *words], capture_output=True, text=True, check=False)
    return None if done.returncode else Counter(bytes.fromhex(line) for line in done.stdout.split())


def main() -> None:
    """Print the table."""
    sent = Counter(data for *_, data in SENT)
    print("| kind | sent | tshark reads | the monitor reads |\n|---|---|---|---|")
    for kind in WRAPPED:
        with tempfile.TemporaryDirectory() as folder:
            path = write_pcap(Path(folder) / "a.pcap", wrapped(kind, SENT))
            own = Counter(found.data for found in packets(path, Counter()) if isinstance(found, Datagram))
            seen = payloads_of_tshark(path)
        told = "cannot" if seen is None else (seen & sent).total()
        print(f"| {kind} | {sent.total()} | {told} | {(own & sent).total()} |")


if __name__ == "__main__":
    main()
