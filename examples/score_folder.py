"""Score all recordings in a folder into a CSV file, a row for each channel; a file that cannot be read is a row, too.

python examples/score_folder.py recordings/ scores.csv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import monitor

SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".m4a", ".opus"}


def main(folder: str, out: str) -> int:
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
    with Path(out).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "channel", "state", "p_fake", "llr", "net_speech_s", "error"])
        for scored in monitor.score_files(paths):
            if scored.error is not None:
                rows.writerow([scored.path, "", "", "", "", "", scored.error.message])
            for s in scored.channels:
                rows.writerow([scored.path, s.channel, s.state, s.p_fake, s.llr, s.net_speech_s, ""])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
