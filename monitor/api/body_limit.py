"""Bounds the body of a request that is read into memory; files that are uploaded are bounded where they are written."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.api.problems import problem

LARGEST = 64 << 10
"""Bytes; a mark with the longest note is a quarter of it."""
STREAMED = "/scores"


class BodyLimit:
    """Answers 411 where a body does not say how long it is, and 413 where it is too long."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await problem(*refusal)(scope, receive, send)


def _refusal(scope: Scope) -> tuple[int, str] | None:
    if scope["type"] != "http" or (scope["method"] == "POST" and str(scope["path"]).endswith(STREAMED)):
        return None
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers:
        return 411, "say how long the body is: Content-Length"
    if not (length.isascii() and length.isdigit() and int(length) <= LARGEST):
        return 413, f"the body is longer than {LARGEST} bytes"
    return None
