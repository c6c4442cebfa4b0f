"""Settings of a server whose calls are scored by shards."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from monitor.config.section import Positive, Section


class ClusterSection(Section):
    """[cluster]"""

    address: str = Field("", description="HOST:PORT of Ray's head node, or local: start Ray here; empty = no cluster")
    shards: int = Field(2, ge=1, le=256, description="processes that score calls")
    spares: int = Field(1, ge=0, le=16, description="processes kept ready for the calls of a shard that is lost")
    cpus: Positive = Field(1.0, le=64, description="processors that Ray sets aside for a shard, in part too")
    gpus: float = Field(0.0, ge=0, le=8, description="GPUs that Ray sets aside for a shard, in part too")
    send_ms: int = Field(100, ge=20, le=1000, description="audio is sent to the shards so often")
    checkpoint_s: float = Field(2.0, ge=0.2, le=60, description="between two checkpoints of a call")
    answer_s: float = Field(3.0, ge=0.5, le=60, description="a shard that gives no answer for so long is replaced")
    busy_share: float = Field(0.5, gt=0, le=1, description="a shard that scores for more of its time takes no new call")
    ring_s: Positive = Field(8.0, le=60, description="audio kept here while a shard is replaced, of each channel")
    start_s: Positive = Field(120.0, description="the first shard must be there by then")
    memory_mib: int = Field(256, ge=80, le=100_000, description="shared memory of the Ray that is started here")

    @model_validator(mode="after")
    def _checkpoints_are_kept_up_with(self) -> Self:
        if self.send_ms > 1000 * self.checkpoint_s:
            raise ValueError("send_ms must not exceed checkpoint_s")
        return self
