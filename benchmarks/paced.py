"""The monitor in a process of its own, watching a source that is paced by the clock like a sound card.

python -m benchmarks.paced SECONDS BEGUN_FILE WEIGHTS ADDRESS SCREEN: the same wiring as `monitor --device`, with
default settings but for what is named. BEGUN_FILE gets the time.monotonic() at which sample 0 began; on one machine
this clock is the same in all processes, so that whoever receives a score knows how old the audio in it is.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import configuration, voice
from model.config import SAMPLE_RATE
from monitor.audio import Audio, Chunk
from monitor.config.schema import DashboardSection, JournalSection, ZeromqSection
from monitor.session.watch import CallSources, watch

CHUNK = SAMPLE_RATE // 100
LOOP_S = 20.0


class Paced:
    """Gives 10 ms of audio as soon as it would have been spoken. captured_at: when this thread came to give it."""

    live = True

    def __init__(self, audio: Audio, seconds: float, start_file: Path) -> None:
        self._audio, self._count = audio, round(seconds * SAMPLE_RATE / CHUNK)
        self._start_file = start_file
        self.name = "paced"
        self.channels: tuple[str, ...] = ("mic",)
        self._closed = threading.Event()

    def chunks(self) -> Iterator[Chunk]:
        started = time.monotonic()
        self._start_file.write_text(repr(started), encoding="ascii")
        for i in range(self._count):
            due = started + (i + 1) * CHUNK / SAMPLE_RATE
            if self._closed.wait(max(0.0, due - time.monotonic())):
                return
            at = i * CHUNK % len(self._audio)
            yield Chunk(self._audio[None, at : at + CHUNK], i * CHUNK, time.monotonic())

    def close(self) -> None:
        self._closed.set()


def main() -> int:
    seconds, start_file, weights, address, screen, journal = sys.argv[1:]
    config = configuration(
        weights,
        zeromq=ZeromqSection(address=address),
        dashboard=DashboardSection.model_validate({"mode": screen}),
        journal=JournalSection(path=journal),
    )
    return watch([CallSources("bench", [Paced(voice(LOOP_S), float(seconds), Path(start_file))])], config)


if __name__ == "__main__":
    sys.exit(main())
