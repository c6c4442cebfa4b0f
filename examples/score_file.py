"""Score one recording, and print the stretches in which a voice is suspicious.

python examples/score_file.py call.wav
"""

from __future__ import annotations

import sys

import monitor


def main(path: str) -> int:
    try:
        scores = monitor.score_file(path)
    except monitor.BadInputError as error:
        print(f"{error.message}; {error.hint}", file=sys.stderr)
        return 2
    for score in scores:
        print(f"{score.channel}: {score.state}, p_fake {score.p_fake:.3f} of {score.net_speech_s:.1f} s of speech")
        for segment in score.segments:
            if segment.state in (monitor.State.SUSPICIOUS, monitor.State.ALERT):
                print(f"  {segment.start_s:.1f} to {segment.end_s:.1f} s: {segment.state}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
