"""The bodies of requests and answers of the API, as models: the OpenAPI description is made of them.

Times are RFC 3339 in UTC. Seconds count from the beginning of the call. llr: log-likelihood ratio of the speech,
synthetic over genuine, in nats; null where nothing was judged. p_fake: probability that the speech is synthetic.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from monitor.types import State

Outcome = Literal["alert", "suspicious", "undecided", "clear", "unknown"]
MarkKind = Literal["acknowledged", "note", "false_alarm", "confirmed"]
Line = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ApiModel(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MarksOfCall(ApiModel):
    """The marks of a call."""

    acknowledged: bool
    verdict: Literal["false_alarm", "confirmed"] | None = Field(description="the newest of such marks")
    notes: int = Field(ge=0, description="marks with a note")


class CallFacts(ApiModel):
    """The facts about a call in each answer."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: str = Field(description="in URLs; the same after a restart")
    call: str = Field(description="its name in events")
    name: str = Field(description="for people: parties or numbers, else tap and time")
    from_: str = Field(alias="from", description="who calls, where the tap knows it; else empty")
    to: str = Field(description="who is called, where the tap knows it; else empty")
    tap: str = Field(description="where the audio comes from")
    address: str = Field(description="network address of the sender, where there is one")
    started: str
    ended: str | None = Field(description="null while it runs")
    duration_s: float = Field(ge=0, description="audio scored so far")
    state: State = Field(description="the worst of its channels, now or at the end")
    outcome: Outcome = Field(description="the worst so far; unknown: too little speech for a verdict")
    highest_llr: float | None = Field(description="of the recent speech of any channel, nats")
    highest_p: float | None = Field(ge=0, le=1, description="the same as a probability, given the prior")
    speech_s: float = Field(ge=0, description="speech that was evidence, of all channels")


class Call(CallFacts):
    """A call that runs, or has ended. alerts: how many were opened."""

    alerts: int = Field(ge=0)
    marks: MarksOfCall


class Calls(ApiModel):
    """A page of calls."""

    calls: list[Call]
    next: str | None = Field(description="cursor of the next page; null at the end")


class Segment(ApiModel):
    """A stretch of a channel with one state; p_fake and llr are the highest in it."""

    channel: str
    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)
    state: State
    p_fake: float | None = Field(ge=0, le=1)
    llr: float | None
    reason: str = Field(description="why the state is that, in words")


class Channel(ApiModel):
    """A channel of a call, one a party."""

    channel: str
    state: State
    net_speech_s: float = Field(ge=0)
    p_fake: float | None = Field(ge=0, le=1, description="of the recent speech; of all speech once the call has ended")
    llr: float | None
    highest_llr: float | None
    families: dict[str, float] = Field(description="likeliest kinds of synthesis, were it synthetic")


class Alert(ApiModel):
    """An alert of a channel."""

    id: str
    channel: str
    opened_s: float = Field(ge=0)
    closed_s: float | None = Field(description="null while it is open")
    time: str
    peak_llr: float | None
    p_fake: float | None = Field(description="the highest that an event of the alert gave")
    reason: str
    verdict: Literal["false_alarm", "confirmed"] | None = Field(
        description="the newest mark of this alert, or of the call"
    )


class Mark(ApiModel):
    """A person's mark on a call, or on one of its alerts."""

    id: str
    kind: MarkKind
    alert: str | None = Field(description="id of the alert; null = the whole call")
    note: str
    by: str = Field(description="who, as they call themselves")
    key: str = Field(description="name of the key that was used; empty = the page, or a program without a key")
    time: str


class NewMark(ApiModel):
    """A mark to set."""

    kind: MarkKind
    alert: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        None, description="id of an alert of the call; null = the whole call"
    )
    note: Annotated[str, StringConstraints(max_length=2000)] = ""
    by: Line = Field("", description="who says so")


class EvidenceAudio(ApiModel):
    """The audio of one channel in evidence."""

    channel: str
    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)
    missing_s: float = Field(ge=0, description="silent in the file: lost, or none came")
    spectrogram: bool = Field(description="whether there is a picture of it")


class Evidence(ApiModel):
    """A folder of evidence of a call."""

    id: str
    kind: Literal["alert", "call"]
    alert: str | None
    channel: str | None = Field(description="that the alert is about")
    time: str
    audio: list[EvidenceAudio]


class CallDetails(CallFacts):
    """A call with all that is kept of it."""

    details: dict[str, str] = Field(description="what the tap knows of it")
    provenance: list[dict[str, Any]] = Field(description="what the recording carries about its own origin")
    epoch: str = Field(description="the run of the monitor that scored it")
    model: str = Field(description="beginning of the SHA-256 of the weights")
    why: str = Field(description="why it ended; empty while it runs")
    lost_s: float = Field(ge=0)
    channels: list[Channel]
    segments: list[Segment]
    alerts: list[Alert]
    marks: list[Mark]
    evidence: list[Evidence]


class Timeline(ApiModel):
    """Likelihood of a channel over the call; null where no speech added evidence. The highest of each step."""

    channel: str
    step_s: float = Field(gt=0)
    start_s: float = Field(ge=0)
    p_fake: list[float | None]
    llr: list[float | None]


class EventList(ApiModel):
    """Events of a call, as they stand in the stream; scores are left out."""

    events: list[dict[str, Any]]
    next: int | None = Field(description="give it as `after` for those that follow; null at the end")


class ScoredCall(CallDetails):
    """A call of a file. timelines: one a channel, in the order of channels."""

    timelines: list[Timeline]


class ScoreFacts(ApiModel):
    """The facts about a file that is scored, in each answer. total_s: null where the file does not say."""

    id: str
    name: str
    state: Literal["waiting", "running", "done", "failed"]
    submitted: str
    at_s: float = Field(ge=0, description="seconds of audio scored so far")
    total_s: float | None
    progress: float = Field(ge=0, le=1)
    error: str | None
    outcome: Outcome | None = Field(description="the worst of its calls; null until it is done")
    highest_p: float | None = Field(ge=0, le=1, description="the highest of its calls")


class ScoreList(ApiModel):
    """The files that are kept, the newest first."""

    scores: list[ScoreFacts]


class ScoreJob(ScoreFacts):
    """A file that is scored."""

    calls: list[ScoredCall] = Field(description="one; of a network capture one for each of its calls. Empty until done")


class Health(ApiModel):
    """The state of the monitor."""

    status: Literal["ok", "degraded"]
    version: str
    epoch: str
    calls: int = Field(ge=0, description="calls that run")
    faults: list[str] = Field(description="what does not work now")
    roles: list[Literal["view", "mark", "send"]] = Field(description="what the caller may do")
    streams: bool = Field(description="whether audio may be pushed")
    weights: str = Field(description="beginning of the SHA-256 of the weights")
