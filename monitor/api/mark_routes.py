"""Marks: what a person says of a call. Each is an event of its own in the stream and in the journal."""

from __future__ import annotations

import asyncio
import secrets
import string

from fastapi import APIRouter
from starlette.responses import Response

from monitor.api.call_routes import CallId
from monitor.api.context import Context, Marker, answer
from monitor.api.convert import mark_of
from monitor.api.models import Mark, NewMark
from monitor.api.problems import refuse
from monitor.call_history.kept_call import CallMark, mark_of_event
from monitor.types import SAMPLE_RATE, Event

router = APIRouter(tags=["marks"])

ID_LETTERS = 16
"""Letters alone: digits might be taken for a telephone number."""
PUBLISHED_S = 5.0


@router.post("/calls/{id}/marks", response_model=Mark, status_code=201, operation_id="post_mark")
async def post_mark(context: Context, caller: Marker, id: CallId, new: NewMark) -> Response:
    """Mark a call, or one of its alerts. The answer comes once the mark was published as the event `call.marked`."""
    with context.calls.locked():
        call = context.call(id)
        if new.alert is not None and new.alert not in call.alerts:
            raise refuse(404, "alert: the call has no alert of that id")
        name, epoch, at = call.call, call.epoch, round(call.last_s * SAMPLE_RATE)
    identity = "".join(secrets.choice(string.ascii_lowercase) for _ in range(ID_LETTERS))
    data = {
        "mark": identity,
        "kind": new.kind,
        "note": new.note,
        "by": new.by,
        "key": caller.name,
        "of_epoch": epoch,
        **({} if new.alert is None else {"alert": new.alert}),
    }
    loop, published = asyncio.get_running_loop(), asyncio.Event()
    found: list[CallMark] = []

    def see(event: Event) -> None:
        if event.type == "call.marked" and event.data.get("mark") == identity:
            found.append(mark_of_event(event))
            loop.call_soon_threadsafe(published.set)

    forget = context.calls.follow(name, see)
    try:
        context.post(Event("call.marked", name, "", at, data))
        await asyncio.wait_for(published.wait(), PUBLISHED_S)
    except TimeoutError as error:
        raise refuse(503, "the mark was not published in time; it may still come", retry_after="5") from error
    finally:
        forget()
    return answer(mark_of(found[0]), 201)
