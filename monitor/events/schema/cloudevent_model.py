"""The envelope of an event as a model: CloudEvents 1.0, JSON format."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class CloudEvent(BaseModel):
    """The envelope: CloudEvents 1.0, JSON format."""

    model_config = ConfigDict(extra="allow", strict=True)

    specversion: Literal["1.0"]
    id: str = Field(min_length=1, description="epoch-seq; epoch-0-time outside the numbering")
    source: str = Field(min_length=1, description="publish.source", json_schema_extra={"format": "uri-reference"})
    type: str = Field(min_length=1, description="deepfake-speech-monitor. and the type of the event")
    subject: str | None = Field(None, min_length=1, description="call/channel, or call; absent where there is none")
    time: str = Field(json_schema_extra={"format": "date-time"})
    datacontenttype: Literal["application/json"]
    dataschema: str = Field(description="$id of the schema of data", json_schema_extra={"format": "uri"})
    sequence: str | None = Field(None, pattern="^[0-9]{20}$", description="seq, in 20 digits, so that text sorts")
    partitionkey: str | None = Field(None, min_length=1, description="the call, whose events are to stay in order")
    data: dict[str, Any] = Field(description="the event, as on every other way")
