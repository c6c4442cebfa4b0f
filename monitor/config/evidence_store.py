"""The settings of what is kept on disk."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from monitor.config.section import Section


class EvidenceStoreSection(Section):
    path: str = Field("", description="folder that gets the evidence of each alert; empty = none is kept")
    retain: Literal["none", "alerts", "all"] = Field(
        "alerts", description="audio that is kept: none, around alerts, or all of every call"
    )
    before_s: float = Field(10.0, ge=0, le=120, description="audio kept from before an alert opened")
    after_s: float = Field(10.0, ge=0, le=600, description="audio kept from after it")
    keep_days: float = Field(0.0, ge=0, description="age at which evidence is deleted; 0 = never")
    keep_gb: float = Field(0.0, ge=0, description="size of the folder beyond which the oldest goes; 0 = no limit")
    key: str = Field("", description="file with a secret that seals the evidence; empty = checksums alone")
