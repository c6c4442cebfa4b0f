"""The parts of the program that the routes use, and how they get them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import Response

from monitor.api.problems import refuse
from monitor.api.roles import EVERYTHING, ApiCaller
from monitor.api.score_jobs import ScoreJobs
from monitor.api.stream_intake import StreamIntake
from monitor.call_history.kept_call import KeptCall
from monitor.call_history.recent_calls import RecentCalls
from monitor.config.api import Role
from monitor.config.schema import Config
from monitor.limits.rate_limit import RateLimit
from monitor.store.evidence_index import EvidenceIndex
from monitor.types import Event

CALLER = "monitor.caller"
"""Where the guard leaves in the scope who asks."""


@dataclass
class ApiContext:
    """config, calls: what they say. post: has the scoring loop publish an event. heartbeat_figures: see RunContext.
    weights: SHA-256. streams: takes calls that programs push; None where none may be added.
    """

    config: Config
    calls: RecentCalls
    post: Callable[[Event], None]
    heartbeat_figures: Callable[[], Mapping[str, object]]
    weights: str
    streams: StreamIntake | None = None
    streams_taken: int = 0
    limits: RateLimit = field(init=False)
    evidence: EvidenceIndex = field(init=False)
    scores: ScoreJobs = field(init=False)

    def __post_init__(self) -> None:
        section = self.config.api
        self.limits = RateLimit(section.requests_per_s, section.requests_at_once)
        kept = self.config.evidence_store.path
        self.evidence = EvidenceIndex(Path(kept) if kept else None)
        self.scores = ScoreJobs(self.config)

    def close(self) -> None:
        """End what was begun for programs."""
        self.scores.close()

    def call(self, identity: str) -> KeptCall:
        """Return a call. Raises the answer 404."""
        found = self.calls.call(identity)
        if found is None:
            raise refuse(404, "there is no such call, or it ended too long ago (web.keep_ended_s)")
        return found


def context_of(connection: HTTPConnection) -> ApiContext:
    """Return the context of the app that serves a request or a WebSocket."""
    found: ApiContext = connection.app.state.context
    return found


def caller_of(connection: HTTPConnection) -> ApiCaller:
    """Return who asks."""
    found: ApiCaller = connection.scope.get(CALLER, EVERYTHING)
    return found


def needs(role: Role) -> Callable[[HTTPConnection], ApiCaller]:
    """Return a dependency that lets through who has a role and does not ask too often."""

    def check(connection: HTTPConnection) -> ApiCaller:
        caller, context = caller_of(connection), context_of(connection)
        host = connection.client.host if connection.client is not None else ""
        if not context.limits.allows(f"{caller.name}\0{'' if caller.name else host}".encode(), time.monotonic()):
            raise refuse(429, "too many requests: api.requests_per_s says how many there may be", retry_after="1")
        if role not in caller.roles:
            raise refuse(403, f"the key {caller.name} has not the role {role}")
        return caller

    return check


Context = Annotated[ApiContext, Depends(context_of)]
Viewer = Annotated[ApiCaller, Depends(needs("view"))]
Marker = Annotated[ApiCaller, Depends(needs("mark"))]
Sender = Annotated[ApiCaller, Depends(needs("send"))]


def answer(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a model as JSON, written in the thread of the route and not in the event loop, which the taps share."""
    return Response(model.model_dump_json(by_alias=True), status, headers, "application/json")
