"""Settings of the HTTP API."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from monitor.config.section import Positive, Secret, Section

Role = Literal["view", "mark", "send"]


class ApiKey(Section):
    """One of [[api.keys]]"""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="stands in the marks that the key sets")
    roles: list[Role] = Field(min_length=1, description="view calls, mark them, send audio")
    secret: Secret = Field(description="file:PATH, env:NAME or the text itself; 16 characters or more")


class ApiSection(Section):
    """[api]"""

    keys: list[ApiKey] = Field([], description="keys of programs: name, roles, secret; they need web.token")
    requests_per_s: Positive = Field(20.0, le=10_000, description="requests of one key in the long run; more get 429")
    requests_at_once: int = Field(100, ge=1, le=100_000, description="requests of one key after a pause")
    max_upload_mib: int = Field(200, ge=1, le=10_000, description="size of a file that is sent to be scored")
    max_scores: int = Field(20, ge=1, le=1000, description="files that are scored, wait, or whose result is kept")
    keep_scores_s: Positive = Field(3600.0, description="so long the result of a file is kept")
    score_timeout_s: Positive = Field(1800.0, description="scoring a file is given up after so long")
    max_streams: int = Field(16, ge=1, le=1000, description="calls that programs push at once; more are refused")

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        names = [key.name for key in self.keys]
        if len(set(names)) < len(names):
            raise ValueError("two keys have one name")
        return self
