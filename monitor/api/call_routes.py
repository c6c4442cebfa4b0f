"""Calls: the list, one call, its timeline and its events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from monitor.api.context import Context, Viewer, answer
from monitor.api.convert import (
    SORTS,
    after_cursor,
    call_details,
    call_row,
    cursor_of,
    event_fields,
    evidence_of,
    holds_text,
    in_order,
    timeline,
)
from monitor.api.models import CallDetails, Calls, EventList, Outcome, Timeline
from monitor.api.problems import refuse
from monitor.call_history.kept_call import ID_DIGITS, KeptCall
from monitor.types import State

router = APIRouter(tags=["calls"])

CallId = Annotated[str, Path(pattern=f"^[0-9a-f]{{{ID_DIGITS}}}$", description="`id` of a call")]
SORT = "^-?({})$".format("|".join(SORTS))


@router.get("/calls", response_model=Calls, operation_id="list_calls")
def list_calls(
    context: Context,
    _: Viewer,
    state: Annotated[list[State] | None, Query(description="one of these")] = None,
    outcome: Annotated[list[Outcome] | None, Query(description="one of these")] = None,
    text: Annotated[str, Query(max_length=200, description="in names, address, details or notes")] = "",
    since: Annotated[AwareDatetime | None, Query(description="begun then or later")] = None,
    until: Annotated[AwareDatetime | None, Query(description="begun before then")] = None,
    running: Annotated[Literal["true", "false"] | None, Query(description="those that run, or have ended")] = None,
    sort: Annotated[str, Query(pattern=SORT, description="`-` turns it round")] = "-started",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(max_length=100, description="`next` of the page before")] = None,
) -> Response:
    """List the calls that run, and those that ended in the last `web.keep_ended_s` seconds."""
    first, last = _utc(since), _utc(until)
    with context.calls.locked():
        found = [
            call
            for call in context.calls.calls()
            if (state is None or call.state in state)
            and (outcome is None or call.outcome in outcome)
            and (running is None or (call.ended is None) == (running == "true"))
            and first <= call.started
            and (not last or call.started < last)
            and (not text or holds_text(call, text))
        ]
        ordered = in_order(found, sort)
        try:
            rest = ordered if cursor is None else after_cursor(ordered, cursor)
        except ValueError as error:
            raise refuse(409, "cursor: it names none of these calls any more; begin again without one") from error
        shown = rest[:limit]
        following = cursor_of(shown[-1]) if len(rest) > limit else None
        rows = [call_row(call) for call in shown]
    return answer(Calls(calls=rows, next=following))


def _utc(moment: datetime | None) -> str:
    """Return a time as events write it."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@router.get("/calls/{id}", response_model=CallDetails, operation_id="get_call")
def get_call(context: Context, _: Viewer, id: CallId) -> Response:
    """Return a call with its channels, segments, alerts, marks and evidence."""
    with context.calls.locked():
        call = context.call(id)
        epoch, name = call.epoch, call.call
    evidence = [evidence_of(found) for found in context.evidence.of_call(epoch, name)]
    with context.calls.locked():
        found = call_details(context.call(id), evidence)
    return answer(found)


@router.get("/calls/{id}/timeline", response_model=Timeline, operation_id="get_timeline")
def get_timeline(
    context: Context, _: Viewer, id: CallId, channel: Annotated[str | None, Query(max_length=200)] = None
) -> Response:
    """Return the likelihood of a channel, by default the first one, over the whole call in at most 2000 points."""
    with context.calls.locked():
        call = context.call(id)
        name = next(iter(call.channels), "") if channel is None else channel
        found = call.channels.get(name)
        if found is None:
            raise refuse(404, f"the call has no such channel; its channels: {', '.join(call.channels) or 'none'}")
        line = timeline(found)
    return answer(line)


@router.get("/calls/{id}/events", response_model=EventList, operation_id="list_events")
def list_events(
    context: Context,
    _: Viewer,
    id: CallId,
    after: Annotated[int, Query(ge=0, le=2**53, description="`next` of the page before")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Return the newest events of a call, the oldest first: changes of its state, alerts, health, marks; no scores."""
    with context.calls.locked():
        found = _events(context.call(id), after, limit)
    return answer(found)


def _events(call: KeptCall, after: int, limit: int) -> EventList:
    left_out = call.event_count - len(call.events)
    first = max(after, left_out) - left_out
    shown = [event_fields(event) for event in list(call.events)[first : first + limit]]
    following = left_out + first + len(shown)
    return EventList(events=shown, next=following if following < call.event_count else None)
