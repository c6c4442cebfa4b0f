"""`monitor report`: what was found, as a page."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from monitor.disk.private import write_private
from monitor.errors import BadInputError
from monitor.events import wire
from monitor.report.collect import read
from monitor.report.page import page
from monitor.store.seal import read_key


def report(paths: Sequence[Path], out: Path, call: str | None, key: Path | None) -> None:
    """Write the page. Raises BadInputError for what cannot be read or written."""
    story, sources = read(paths, call, read_key(key) if key is not None else None)
    program = f"deepfake-speech-monitor {version('deepfake-speech-monitor')}"
    text = page(story, sources, f"report made {wire.utc_now()[:19].replace('T', ' ')} UTC by {program}")
    try:
        write_private(out, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        hint = "name a file in a directory that exists"
        raise BadInputError(f"the page {out} cannot be written: {error.strerror}", hint) from error
    print(f"{out}: {len(story.calls)} call{'s' * (len(story.calls) != 1)}")
    for source in sources:
        if not source.sound:
            print(f"note: {source.path}: {source.result}")
