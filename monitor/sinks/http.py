"""POST requests over one connection that is kept: no proxy, no cookies, no redirect to another host."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from monitor.config.section import place_of
from monitor.errors import BadInputError, SinkError

MOST_REDIRECTS = 3
MOST_BYTES = 65_536
"""The bytes of an answer that are read; its connection is not used again where it is longer."""
SAME_METHOD = (307, 308)


@dataclass(frozen=True)
class HttpResponse:
    """status: of HTTP. retry_after: the header, or None. said: the beginning of the body, for people."""

    status: int
    retry_after: str | None = None
    said: str = ""


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Make a context that checks certificates and names of hosts. ca_file: PEM, or "" for the system's. Raises
    BadInputError.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise BadInputError(
            f"ca_file {ca_file}: {error.strerror or error}", "name a PEM file of certificates"
        ) from error


class HttpPoster:
    """Posts to one URL. One thread may use it."""

    def __init__(self, url: str, ca_file: str = "", timeout_s: float = 10.0) -> None:
        """url: http or https. Raises BadInputError for a ca_file that cannot be read."""
        self.shown = place_of(url)
        self._parts = urlsplit(url)
        self._timeout_s = timeout_s
        self._context = tls_context(ca_file) if self._parts.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """Post a body. Raises SinkError where no answer came, or one that leads to another host."""
        parts = self._parts
        for _ in range(MOST_REDIRECTS + 1):
            answer, location = self._request(_path(parts), headers, body)
            if answer.status not in SAME_METHOD or not location:
                return answer
            parts = self._follow(parts, location)
        raise SinkError(f"{self.shown}: redirects more than {MOST_REDIRECTS} times")

    def close(self) -> None:
        """Let the connection go. May be called twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _follow(self, parts: SplitResult, location: str) -> SplitResult:
        there = urlsplit(urljoin(parts.geturl(), location))
        if (there.scheme, there.netloc.lower()) != (parts.scheme, parts.netloc.lower()):
            raise SinkError(f"{self.shown}: redirects to {there.scheme}://{there.netloc}, which is not followed")
        return there

    def _request(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[HttpResponse, str | None]:
        """Send a request, once more where the other side had closed a kept connection."""
        kept = self._connection is not None
        try:
            return self._attempt(path, headers, body)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            if not kept or isinstance(error, TimeoutError):
                raise SinkError(f"{self.shown}: {reason(error)}") from error
        try:
            return self._attempt(path, headers, body)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise SinkError(f"{self.shown}: {reason(error)}") from error

    def _attempt(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[HttpResponse, str | None]:
        connection = self._connection or self._connect()
        connection.request("POST", path, body, dict(headers))
        response = connection.getresponse()
        said = response.read(MOST_BYTES)
        if response.will_close or not response.isclosed():
            self.close()
        text = " ".join(said[:200].decode("utf-8", "replace").split())
        return HttpResponse(response.status, response.getheader("Retry-After"), text), response.getheader("Location")

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._context is None:
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=self._context)
        self._connection = connection
        return connection


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def reason(error: Exception) -> str:
    """Return the reason of a connection's fault, in words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not trusted: {error.verify_message}"
    strerror = error.strerror if isinstance(error, OSError) else ""
    return strerror or str(error) or type(error).__name__
