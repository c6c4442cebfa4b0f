"""A call that a program pushes over a WebSocket: audio in, events out, the verdict last."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from contextlib import suppress

from fastapi import APIRouter, HTTPException
from starlette.websockets import WebSocket, WebSocketDisconnect

from monitor.api.context import ApiContext, context_of, needs
from monitor.api.convert import call_details, event_fields
from monitor.api.problems import problem
from monitor.api.stream_intake import BadStreamError, PushedAudio, PushedCall, StreamIntake
from monitor.call_history.kept_call import call_id
from monitor.limits.json_text import read_json
from monitor.taps.tap_events import CallEnded, RefusedError
from monitor.types import Event

router = APIRouter()

AHEAD_S = 0.5
"""Of audio that is late so much is taken at once; a sender that is faster than speech is read more slowly."""
MOST_WAITING = 2000
"""Events that wait for a program that does not read them; more are left out, but not the end."""
VERDICT_S = 15.0
DONE, REFUSED, TRY_LATER = 1000, 1008, 1013
LONGEST_REASON = 120
_numbers = itertools.count(1)


@router.websocket("/streams")
async def stream(socket: WebSocket) -> None:
    """Take one call. Bytes are audio, {"end": true} asks for the verdict; answers are JSON objects."""
    context = context_of(socket)
    try:
        needs("send")(socket)
        format = PushedAudio.read(dict(socket.query_params))
        intake = context.streams
        if intake is None:
            raise HTTPException(409, "this monitor watches a microphone and takes no streams: use monitor serve")
        if context.streams_taken >= intake.most:
            raise HTTPException(429, f"api.max_streams = {intake.most} are there already", {"retry-after": "5"})
    except HTTPException as error:
        await socket.send_denial_response(problem(error.status_code, str(error.detail), error.headers))
        return
    except BadStreamError as error:
        await socket.send_denial_response(problem(422, str(error)))
        return
    context.streams_taken += 1
    try:
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await _PushedStream(context, intake, socket, format).run()
    finally:
        context.streams_taken -= 1


class _PushedStream:
    def __init__(self, context: ApiContext, intake: StreamIntake, socket: WebSocket, format: PushedAudio) -> None:
        self._context, self._intake, self._socket, self._format = context, intake, socket, format
        self._id = f"api-{next(_numbers)}"
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Run from the first message to the verdict."""
        peer = self._socket.client.host if self._socket.client is not None else ""
        try:
            self._intake.deliver(self._format.started(self._id, peer))
        except RefusedError as error:
            await self._close(TRY_LATER, str(error))
            return
        name = self._intake.name_of(self._id)
        identity = call_id(self._context.calls.epoch, name)
        forget, why = self._follow(name, identity), "the monitor stops"
        sending = asyncio.create_task(self._send_events())
        try:
            await self._socket.send_text(json.dumps({"type": "stream", "id": identity, "call": name}))
            why = await self._receive()
        except WebSocketDisconnect:
            why = "the connection was lost"
            raise
        finally:
            self._intake.deliver(CallEnded(self._id, why))
            if why == ENDED:
                await self._verdict(identity)
            forget()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _follow(self, name: str, identity: str) -> Callable[[], None]:
        """Take the events of the call, those too that came before this."""
        loop = asyncio.get_running_loop()

        def take(event: Event) -> None:
            loop.call_soon_threadsafe(self._take, event)

        with self._context.calls.locked():
            call = self._context.calls.call(identity)
            for event in list(call.events) if call is not None else ():
                self._take(event)
            return self._context.calls.follow(name, take)

    def _take(self, event: Event) -> None:
        if self._events.qsize() < MOST_WAITING:
            self._events.put_nowait(event)
        if event.type == "call.ended":
            self._ended.set()

    async def _send_events(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._socket.send_text(json.dumps(event_fields(await self._events.get())))
                self._events.task_done()

    async def _receive(self) -> str:
        """Take audio, as fast as it is spoken. Returns why there is no more."""
        due = time.monotonic()
        pushed = PushedCall(self._id, self._format)
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), self._intake.idle_s)
                if message["type"] == "websocket.disconnect":
                    return CLOSED if message.get("code") == DONE else "the connection was lost"
                if message.get("bytes") is None:
                    return _read_end(str(message.get("text")))
                for seconds, events in pushed.pieces(message["bytes"]):
                    now = time.monotonic()
                    due = max(due, now - AHEAD_S)
                    await asyncio.sleep(due - now)
                    due += seconds
                    for event in events:
                        self._intake.deliver(event)
            except BadStreamError as error:
                await self._close(REFUSED, str(error))
                return f"the program sent {error}"
            except TimeoutError:
                await self._close(REFUSED, f"nothing came for {self._intake.idle_s:g} s")
                return f"nothing came for {self._intake.idle_s:g} s"

    async def _verdict(self, identity: str) -> None:
        """Send the last events and the call as it stands at its end."""
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            await asyncio.wait_for(self._ended.wait(), VERDICT_S)
            await asyncio.wait_for(self._events.join(), VERDICT_S)
            with self._context.calls.locked():
                call = self._context.calls.call(identity)
                details = None if call is None else call_details(call, ()).model_dump(mode="json", by_alias=True)
            await self._socket.send_text(json.dumps({"type": "verdict", "call": details}))
            await self._close(DONE, "")

    async def _close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError):
            await self._socket.close(code, reason.encode()[:LONGEST_REASON].decode("utf-8", "ignore"))


ENDED, CLOSED = "the program ended it", "the program closed the connection"


def _read_end(text: str) -> str:
    """Return why it ended. Raises BadStreamError for any other text."""
    try:
        if read_json(text) == {"end": True}:
            return ENDED
    except ValueError:
        pass
    raise BadStreamError('text other than {"end": true}')
