"""Send events to a destination of one's own: here, a table of alerts in SQLite.

python examples/own_sink.py call.wav alerts.db
"""

from __future__ import annotations

import sqlite3
import sys

import soundfile

import monitor


class SqliteSink(monitor.Sink):
    """Writes a row for each alert. Its methods run in one thread of its own."""

    name = "sqlite"

    def __init__(self, path: str) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None

    def wants(self, event: monitor.Event) -> bool:
        """Queue only alerts for this sink."""
        return event.type.startswith("alert.")

    def emit(self, event: monitor.Event) -> None:
        """Write one event. An error that is raised as SinkError makes the monitor offer the event again."""
        try:
            if self._database is None:
                self._database = sqlite3.connect(self._path)
                self._database.execute("CREATE TABLE IF NOT EXISTS alerts (time, call, channel, type, llr)")
            row = (event.time, event.call, event.channel, event.type, event.data["llr"])
            self._database.execute("INSERT INTO alerts VALUES (?, ?, ?, ?, ?)", row)
            self._database.commit()
        except sqlite3.Error as error:
            raise monitor.SinkError(f"{self._path}: {error}") from error

    def close(self) -> None:
        """Let go of the database."""
        if self._database is not None:
            self._database.close()


def main(path: str, database: str) -> int:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    sinks = [SqliteSink(database)]
    with monitor.open_stream(sample_rate=rate, channels=samples.shape[1], call=path, sinks=sinks) as stream:
        for start in range(0, len(samples), rate):
            stream.push(samples[start : start + rate].T)
        stream.finish()
        for score in stream.scores():
            print(f"{score.channel}: {score.state}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
