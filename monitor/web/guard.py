"""Access control of the page: an ASGI layer that checks every request before anything else sees it.

Host against DNS rebinding, Origin and Sec-Fetch-Site against other sites' pages (fetch.spec.whatwg.org,
www.w3.org/TR/fetch-metadata), a secret where one is set, and headers that keep a browser from doing what no page needs.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.api.context import CALLER
from monitor.api.problems import problem
from monitor.api.roles import EVERYTHING, ApiCaller, KeyRing, bearer
from monitor.config.allowed_hosts import is_allowed_host

COOKIE = "monitor_session"
WRONG_TOKEN_DELAY_S = 1.0
"""A wrong token is answered so late; a right one at once."""
API = "/api/"
OPEN_PATHS = ("/", "/session")
"""Paths, beside those under /static/, that need no secret."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "media-src 'self' blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-cache",
}


def is_same_origin(headers: Mapping[str, str], *, navigates: bool) -> bool:
    """Return whether a request comes from this server's own page, or from a program. navigates: may come by a link."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        return False
    site = headers.get("sec-fetch-site", "none")
    linked = navigates and headers.get("sec-fetch-mode") == "navigate"
    return site in ("none", "same-origin") or linked


@dataclass(frozen=True)
class PageAccess:
    """Knows the secret. session: what a browser holds once it has said it; a new one in every run."""

    token: str
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def matches(self, token: str) -> bool:
        """Return whether that is the secret; takes as long for one that is nearly right."""
        one, other = (hashlib.sha256(text.encode()).digest() for text in (token, self.token))
        return hmac.compare_digest(one, other)

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Authenticate a request by the cookie of a browser or the bearer token of a program (RFC 6750)."""
        if not self.token:
            return True
        if (token := bearer(headers)) and self.matches(token):
            return True
        held = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return hmac.compare_digest(held.encode(), self.session.encode())


class RequestGuard:
    """Lets through what is allowed. counts: what was not, by the reason."""

    def __init__(
        self, app: ASGIApp, access: PageAccess, keys: KeyRing, hosts: Iterable[str], counts: Counter[str]
    ) -> None:
        self._app, self._access, self._keys, self._hosts, self._counts = app, access, keys, tuple(hosts), counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            status, why = refusal
            self._counts[why] += 1
            if status == 401 and "authorization" in Headers(scope=scope):
                await asyncio.sleep(WRONG_TOKEN_DELAY_S)
            await self._answer(scope, status, why)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)
        except Exception as error:  # noqa: BLE001 - of whatever kind: it must not end the page for all others
            self._counts[f"fault of the page: {type(error).__name__}"] += 1

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers, path = Headers(scope=scope), str(scope["path"])
        if not is_allowed_host(headers.get("host", ""), self._hosts):
            return 421, "refused: a name that is not in web.hosts"
        navigates = scope["type"] == "http" and scope["method"] == "GET" and path == "/"
        if not is_same_origin(headers, navigates=navigates):
            return 403, "refused: a request from another site"
        if path in OPEN_PATHS or path.startswith("/static/"):
            return None
        if not path.isprintable():  # no route has a line feed, and not every router expects one
            return 404, "refused: no such path"
        caller = self._caller(headers, path)
        if caller is None:
            return 401, "refused: without the token"
        scope[CALLER] = caller
        return None

    def _caller(self, headers: Headers, path: str) -> ApiCaller | None:
        """Return who asks: keys are for the API alone."""
        if self._access.admits(headers):
            return EVERYTHING
        return self._keys.caller(bearer(headers)) if path.startswith(API) else None

    def _answer(self, scope: Scope, status: int, why: str) -> Response:
        if not str(scope["path"]).startswith(API):
            return PlainTextResponse(f"{why}\n", status, HEADERS)
        return problem(status, why, HEADERS | ({"www-authenticate": "Bearer"} if status == 401 else {}))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                given.setdefault(name, value)
        await send(message)

    return sending
