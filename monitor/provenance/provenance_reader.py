"""Reads all marks of a recording, as the settings say."""

from __future__ import annotations

from pathlib import Path

from monitor.config.provenance import ProvenanceSection
from monitor.provenance.credentials import find, read_anchors, read_credentials, unfetched
from monitor.provenance.watermark import PerthReader
from monitor.types import Mark


class ProvenanceReader:
    """Opens once what many recordings are read with. Raises ConfigError where it cannot."""

    def __init__(self, config: ProvenanceSection) -> None:
        self._anchors = read_anchors(Path(config.trust_anchors)) if config.trust_anchors else ""
        self._perth = PerthReader() if config.watermark else None

    def read(self, path: Path) -> tuple[Mark, ...]:
        """Return the marks of a recording. () says nothing: most recordings carry none, and any copy may have lost
        them.
        """
        try:
            found = find(path)
        except OSError:
            return ()
        marks = []
        if found == "embedded":
            marks.append(read_credentials(path, self._anchors))
        elif found == "linked":
            marks.append(unfetched())
        watermark = self._perth.read(path) if self._perth is not None else None
        return (*marks, watermark) if watermark is not None else tuple(marks)
