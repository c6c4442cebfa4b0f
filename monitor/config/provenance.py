"""Settings of the marks of origin that are read in recordings."""

from __future__ import annotations

from pydantic import Field

from monitor.config.section import Section


class ProvenanceSection(Section):
    trust_anchors: str = Field("", description="PEM file of certificates whose signers are trusted; empty = none")
    watermark: bool = Field(False, description="look for the Perth watermark, too, which takes torch and some seconds")
