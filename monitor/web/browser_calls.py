"""Browsers' microphones: a WebSocket each, whose messages browser_microphone.py reads, and the calls that they make."""

from __future__ import annotations

import asyncio
import itertools
import json
import time

from starlette.websockets import WebSocket, WebSocketDisconnect

from monitor.limits.reasons import Reasons
from monitor.taps.tap_events import CallEnded, CallPaused, CallResumed, Deliver, RefusedError, TapEvent
from monitor.web.browser_microphone import BadBrowserMessageError, BrowserCall

PAUSED_WAITS = 10
"""A microphone that is paused may be silent so many times longer."""
GONE, REFUSED, TRY_LATER = 1000, 1008, 1013
"""RFC 6455, section 7.4.1, and its registry."""
LONGEST_REASON = 120
"""Bytes that a closing frame has for words (RFC 6455, section 5.5), less two for its code."""


class BrowserCalls:
    """most: calls at once. counts: what was refused, by the reason."""

    def __init__(self, deliver: Deliver, idle_s: float, most: int, counts: Reasons) -> None:
        self._deliver, self._idle_s, self._most, self._counts = deliver, idle_s, most, counts
        self._taken = 0
        self._numbers = itertools.count(1)

    async def take(self, socket: WebSocket, peer: str) -> None:
        """Take one call, from its first message to the end of its open connection."""
        if self._taken >= self._most:
            self._counts["refused: more microphones than web.max_microphones"] += 1
            await _close(socket, TRY_LATER, f"{self._most} microphones are watched already")
            return
        self._taken += 1
        try:
            call = BrowserCall(f"browser-{next(self._numbers)}", peer, time.monotonic())
            if await self._started(socket, call):
                await self._run(socket, call)
        finally:
            self._taken -= 1

    async def _started(self, socket: WebSocket, call: BrowserCall) -> bool:
        try:
            self._deliver(call.start(await asyncio.wait_for(socket.receive_text(), self._idle_s)))
        except (BadBrowserMessageError, KeyError) as error:
            self._counts.note(f"refused: a microphone with {_reason(error)}", getattr(error, "value", ""))
            await _close(socket, REFUSED, f"refused: {error}")
        except TimeoutError:
            await _close(socket, REFUSED, "nothing was said")
        except RefusedError as error:
            await _close(socket, TRY_LATER, str(error))
        else:
            return True
        return False

    async def _run(self, socket: WebSocket, call: BrowserCall) -> None:
        why = "the monitor stops"
        try:
            await socket.send_text(json.dumps({"call": call.name}))
            why = await self._receive(socket, call)
        except WebSocketDisconnect:
            why = "the connection was lost"
        finally:
            self._deliver(CallEnded(call.name, why))

    async def _receive(self, socket: WebSocket, call: BrowserCall) -> str:
        """Take audio until there is no more. Returns why."""
        timeout_s = self._idle_s
        while True:
            try:
                message = await asyncio.wait_for(socket.receive(), timeout_s)
                if message["type"] == "websocket.disconnect":
                    return "the browser ended it" if message.get("code") == GONE else "the connection was lost"
                tap_event = _read(call, message.get("bytes"), message.get("text"))
            except BadBrowserMessageError as error:
                self._counts.note(f"from a browser's microphone: {error.reason}", error.value)
                await _close(socket, REFUSED, str(error))
                return f"the browser sent {error}"
            except TimeoutError:
                await _close(socket, REFUSED, f"nothing came for {timeout_s:g} s")
                return f"nothing came for {timeout_s:g} s"
            if isinstance(tap_event, CallPaused | CallResumed):
                timeout_s = self._idle_s * (PAUSED_WAITS if isinstance(tap_event, CallPaused) else 1)
            self._deliver(tap_event)


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, BadBrowserMessageError) else "a message that is not text"


def _read(call: BrowserCall, data: bytes | None, text: str | None) -> TapEvent:
    return call.frame(data, time.monotonic()) if data is not None else call.note(text or "")


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    await socket.close(code, reason.encode()[:LONGEST_REASON].decode("utf-8", "ignore"))
