"""Every type of event as a model: its fields with their units and ranges. The JSON Schemas are made of these.

A new optional field, and a new type, are no break; anything else needs a new folder (schema_files.py). Events are not
built with these models, which would cost too much for each score: a test checks the program's events against them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from monitor.events.schema.cloudevent_model import CloudEvent
from monitor.types import Reason, State


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


Seconds = Annotated[float, Field(ge=0, json_schema_extra=_unit("s"))]
Milliseconds = Annotated[float, Field(ge=0, json_schema_extra=_unit("ms"))]
Nats = Annotated[float, Field(json_schema_extra=_unit("nat"))]
Probability = Annotated[float, Field(ge=0, le=1, json_schema_extra=_unit("1"))]
Samples = Annotated[int, Field(ge=0, json_schema_extra=_unit("sample at 16 kHz"))]
Count = Annotated[int, Field(ge=0)]
Model = Annotated[str, Field(min_length=1, description="beginning of the SHA-256 of the weights, hexadecimal")]


class EventModel(BaseModel):
    """The fields of every event."""

    model_config = ConfigDict(extra="allow", strict=True)

    type: str
    call: str = Field(description="name of the call; empty where the event belongs to none")
    channel: str = Field(description="name of the channel; empty where the event belongs to none")
    sample: Samples = Field(description="index of the last audio sample that led to the event")
    seq: Count = Field(description="1, 2, 3 ... within the epoch; 0 = outside the numbering")
    epoch: str = Field(min_length=1, description="names one run of the publisher")
    time: str = Field(description="when it was published, UTC", json_schema_extra={"format": "date-time"})
    prev: Count | None = Field(None, description="ZeroMQ only: seq of the message before it on the same topic")
    snapshot: Literal[True] | None = Field(None, description="ZeroMQ only: sent again for a late subscriber")
    unjournaled: Literal[True] | None = Field(None, description="the journal did not have it yet when it was sent")


class Figures(BaseModel):
    """The findings about the speech of a channel."""

    model_config = ConfigDict(extra="allow", strict=True)

    state: State = Field(description="what the monitor says of the channel, after this event")
    p_fake: Probability = Field(description="probability that the speech is synthetic, given the prior")
    llr: Nats = Field(description="log-likelihood ratio of the speech, synthetic over genuine")
    net_speech_s: Seconds = Field(description="speech heard so far")
    families: dict[str, Probability] = Field(
        description="the most likely families of synthesis, were it synthetic, or unknown; {} before any speech"
    )
    bandwidth: Literal["wideband", "telephone", "unknown"] | None = Field(
        None, description="of the speech, which chooses the calibration of llr; unknown before about a second of it"
    )
    model: Model


class Score(EventModel, Figures):
    """The findings about the channel's recent speech."""

    type: Literal["score"]
    reason: Reason = Field(description="what the newest audio is; only speech is evidence")
    warm: bool = Field(description="whether the network has left its start-up phase; no verdict before")


class StateChanged(EventModel, Figures):
    """The verdict on a channel is another one now."""

    type: Literal["state.changed"]
    before: State = Field(alias="from", description="the state before")
    why: str = Field(description="the cause in words")


class _Alert(EventModel, Figures):
    alert: str = Field(min_length=1, description="id, the same from opened to closed, unique within epoch and call")
    why: str = Field(description="the cause in words")
    peak_llr: Nats = Field(description="highest llr since the alert opened")
    opened_sample: Samples = Field(description="sample of its alert.opened")
    opened_s: Seconds = Field(description="the same in seconds")
    duration_s: Seconds = Field(description="for how long it has been open")


class AlertOpened(_Alert):
    """The voice of a channel is taken for synthetic from here on."""

    type: Literal["alert.opened"]


class AlertUpdated(_Alert):
    """An alert is still open."""

    type: Literal["alert.updated"]


class AlertClosed(_Alert):
    """An alert is over: the evidence is gone, or the call has ended."""

    type: Literal["alert.closed"]


class Provenance(BaseModel):
    """A mark of origin that a recording carries; no part of the evidence."""

    model_config = ConfigDict(extra="allow", strict=True)

    kind: Literal["c2pa", "watermark"] = Field(description="content credentials (C2PA), or a watermark in the sound")
    generator: str = Field(description="what made it, as it says itself")
    issuer: str = Field(description="who signed, as the certificate says")
    time: str = Field(description="when, as the signature says")
    source_types: list[str] = Field(description="digital source types of IPTC, such as trainedAlgorithmicMedia")
    valid: bool | None = Field(description="whether the signature holds; null = unknown")
    trusted: bool | None = Field(description="whether the signer is in the trust list; null = there is none")
    reason: str = Field(description="of valid and trusted, in words")
    detail: str = Field(description="all of it, for people")


class CallStartedEvent(EventModel):
    """From here on the channels of a call are scored."""

    type: Literal["call.started"]
    source: str = Field(description="where the audio comes from")
    channels: list[str] = Field(description="names of the channels")
    details: dict[str, str] = Field(description="what the tap knows of the call, such as its direction")
    sample_rate: Literal[16_000] = Field(description="of sample", json_schema_extra=_unit("Hz"))
    prior: Probability = Field(description="evidence.prior, which p_fake contains")
    model: Model
    provenance: list[Provenance] | None = Field(
        None, description="what the recording carries about its own origin; absent where nothing was found"
    )


class Stretch(BaseModel):
    """A part of a channel with one state; llr and p_fake are the highest in it."""

    model_config = ConfigDict(extra="allow", strict=True)

    start_s: Seconds = Field(description="from the beginning of the call")
    end_s: Seconds = Field(description="likewise")
    state: State = Field(description="what the monitor said of it")
    llr: Nats | None = Field(description="of the recent speech; null where there was no verdict")
    p_fake: Probability | None = Field(description="the same as a probability, given the prior")


class ChannelSummary(Figures):
    """The summary of a channel: the score of all its speech, its alerts and segments."""

    alerts: Count = Field(description="how many were opened")
    highest_llr: Nats | None = Field(None, description="of the recent speech; absent where there was no verdict")
    segments: list[Stretch] | None = Field(None, description="its states, one after the other; of many the newest 200")
    segments_left_out: Count | None = Field(None, description="how many older ones there were")


class CallEndedEvent(EventModel):
    """A call has ended; its summary."""

    type: Literal["call.ended"]
    why: str = Field(description="the cause in words")
    duration_s: Seconds = Field(description="length of the call")
    lost_s: Seconds = Field(description="how much of it was lost")
    channels: dict[str, ChannelSummary] = Field(description="by the name of the channel")
    verdict: Literal["alert", "suspicious", "undecided", "clear", "unknown"] | None = Field(
        None, description="the worst that was said of it; unknown: too little speech"
    )
    highest_llr: Nats | None = Field(None, description="of the recent speech of any channel; absent without a verdict")
    speech_s: Seconds | None = Field(None, description="speech of all channels that was evidence")


class CallMarked(EventModel):
    """A person said something of a call, or of one of its alerts; the call may have ended, in an earlier run too."""

    type: Literal["call.marked"]
    mark: str = Field(min_length=1, description="id of the mark")
    kind: Literal["acknowledged", "note", "false_alarm", "confirmed"] = Field(
        description="confirmed, false_alarm: what the voice was found to be; the newest counts"
    )
    note: str = Field(description="for people")
    by: str = Field(description="who, as they call themselves")
    key: str = Field(description="name of the API key that was used; empty = the page, or a program without a key")
    of_epoch: str = Field(min_length=1, description="epoch of the call")
    alert: str | None = Field(None, description="id of the alert that it is about; absent = the whole call")


class ShardHealth(BaseModel):
    """One shard of a cluster, as its server sees it."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str = Field(min_length=1, description="shard-1, shard-2 ...; a shard that is replaced keeps it")
    state: Literal["starting", "up", "leaving", "down"]
    place: str = Field(description="machine it runs on")
    streams: Count = Field(description="channels of calls that it scores")
    busy: Probability = Field(description="share of the time in which it scores")
    answer_ms: Milliseconds = Field(description="how long its newest answer took")
    lost: Count = Field(description="times that it was lost and replaced")


class Health(EventModel):
    """A source, the network, a tap or a sink changed for the worse or the better; heartbeats too."""

    type: Literal["health"]
    code: str = Field(min_length=1, description="a stable word")
    detail: str = Field(description="for people")
    usable: bool = Field(description="false: nothing heard now can be trusted")
    sink: str | None = Field(None, description="which sink, where it is about one")
    last_seq: Count | None = Field(None, description="heartbeat: newest seq published; anchor: newest one journaled")
    anchor: str | None = Field(None, description="journal anchor: chain value of the journal's newest line")
    last: dict[str, Count] | None = Field(None, description="heartbeat: newest seq under each subscribed prefix")
    sent: dict[str, list[Count]] | None = Field(
        None, description="heartbeat: for each prefix the seq after which it is followed, and the messages since"
    )
    replay: str | None = Field(None, description="heartbeat: where missed events can be asked for")
    source: str | None = Field(None, description="heartbeat: publish.source, the monitor's name in CloudEvents")
    requests: dict[str, Count] | None = Field(None, description="heartbeat: requests by what became of them")
    refused: dict[str, Count] | None = Field(None, description="heartbeat: connections turned away, by why")
    latency_p50_ms: Milliseconds | None = Field(None, description="heartbeat: from capture of a block to its score")
    latency_p99_ms: Milliseconds | None = Field(None, description="heartbeat: from capture of a block to its score")
    calls: Count | None = Field(None, description="heartbeat: calls that are being watched")
    calls_refused: Count | None = Field(None, description="heartbeat: calls that were not taken, so far")
    lost_s: Seconds | None = Field(None, description="heartbeat: audio lost so far")
    ring_fill_s: Seconds | None = Field(None, description="heartbeat: audio that waits to be scored")
    lost_share: Probability | None = Field(
        None, description="heartbeat: share of live audio lost now because scoring is too slow"
    )
    faults: list[str] | None = Field(None, description="heartbeat: what does not work now, and why")
    shards: list[ShardHealth] | None = Field(None, description="heartbeat of a cluster: its shards")


_MODELS: tuple[type[EventModel], ...] = (
    Score,
    StateChanged,
    AlertOpened,
    AlertUpdated,
    AlertClosed,
    CallStartedEvent,
    CallEndedEvent,
    CallMarked,
    Health,
)
EVENTS = {str(model.model_fields["type"].annotation.__args__[0]): model for model in _MODELS}  # type: ignore[union-attr]
"""The models by type."""

ENVELOPE = "cloudevent"
SCHEMAS: dict[str, type[BaseModel]] = {**EVENTS, ENVELOPE: CloudEvent}
