"""Events as HTTP POST requests, signed, each with an id that is the same whenever it is sent again.

What the receiver cannot take now waits, in order; what it refuses for good is given up after some attempts, and kept
in a file where there is one.
"""

from __future__ import annotations

import random
import re
import time
from datetime import UTC, datetime
from pathlib import Path

from monitor.config.outlets import HttpSection, WebhookSection
from monitor.config.section import Secret
from monitor.disk.private import append_private
from monitor.errors import BadInputError, SinkError
from monitor.events.cloudevents import event_id
from monitor.events.sink import Sink
from monitor.sinks.bodies import FORMATS, dead_letter
from monitor.sinks.http import HttpPoster, HttpResponse
from monitor.sinks.ocsf import PRODUCT, installed_version
from monitor.sinks.retry import DeliveryOutcome, backoff_s, retry_after_s, verdict
from monitor.sinks.selection import selector
from monitor.sinks.webhook_signature import signature
from monitor.types import Event

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class WebhookSender:
    """Posts bodies, one after the other, and says with SinkError when to try again or that there is no use."""

    def __init__(self, section: HttpSection, url: str) -> None:
        """Raises BadInputError for a ca_file or a secret that cannot be read."""
        self._section = section
        self._poster = HttpPoster(url, section.ca_file, section.timeout_s)
        self._headers = {"User-Agent": f"{PRODUCT}/{installed_version()}"}
        self._headers |= {name: _header(name, secret.reveal()) for name, secret in section.headers.items()}
        self._failures = 0
        self._refusals = 0

    def post(self, headers: dict[str, str], body: bytes) -> None:
        """Post a body. Raises SinkError, final once there is no use in trying again."""
        try:
            answer = self._poster.post({**self._headers, **headers}, body)
        except SinkError as error:
            raise self._failed(error.message, 0.0) from error
        meaning = verdict(answer.status)
        if meaning is DeliveryOutcome.ACCEPTED:
            self._failures = self._refusals = 0
            return
        self._refusals += meaning is not DeliveryOutcome.BUSY
        if meaning is DeliveryOutcome.INVALID or self._refusals >= self._section.attempts:
            self._failures = self._refusals = 0
            raise SinkError(self._failure(answer), final=True)
        raise self._failed(self._failure(answer), retry_after_s(answer.retry_after, datetime.now(UTC)))

    def close(self) -> None:
        """Let the connection go."""
        self._poster.close()

    def _failure(self, answer: HttpResponse) -> str:
        return f"{self._poster.shown}: status {answer.status}" + (f": {answer.said}" if answer.said else "")

    def _failed(self, message: str, asked_s: float) -> SinkError:
        self._failures += 1
        first_s, longest_s = self._section.retry_first_s, self._section.retry_longest_s
        wait_s = max(asked_s, backoff_s(self._failures, first_s, longest_s, random.random()))
        return SinkError(message, retry_in_s=wait_s)


def _header(name: str, value: str) -> str:
    """Return a value that a request can carry. Raises BadInputError, without the value: it may be a secret."""
    if not _TOKEN.fullmatch(name) or not value.isprintable() or not value.isascii():
        raise BadInputError(
            f"headers: {name!r} cannot be sent", "a header is one line of ASCII, its name without spaces"
        )
    return value


class WebhookSink(Sink):
    """Posts each event that is wanted."""

    name = "webhook"

    def __init__(self, section: WebhookSection, source: str) -> None:
        """source: of the CloudEvents. Raises BadInputError for a file or a secret that cannot be used."""
        self._sender = WebhookSender(section, section.address)
        self._format, self._source = FORMATS[section.body], source
        self._secret = _signing(section.secret)
        self._dead_letters = Path(section.dead_letters) if section.dead_letters else None
        self._chosen = selector(section.events)
        if self._dead_letters is not None:
            _keep(self._dead_letters, b"")

    def wants(self, event: Event) -> bool:
        """Return whether the settings ask for the event and the format can express it."""
        return self._chosen(event) and (event.type.startswith("alert.") or not self._format.alerts_only)

    def emit(self, event: Event) -> None:
        """Post it. Raises SinkError, final for an event that was given up."""
        headers, body = self._format.write(event, self._source)
        try:
            self._sender.post({**headers, **self._proof(event_id(event), body)}, body)
        except SinkError as error:
            if error.final:
                raise self._given_up(event, error.message) from error
            raise

    def close(self) -> None:
        """Let the connection go. May be called twice."""
        self._sender.close()

    def _proof(self, message_id: str, body: bytes) -> dict[str, str]:
        """Return the headers that prove sender and event; the timestamp is that of this attempt."""
        now = int(time.time())
        headers = {"Idempotency-Key": f'"{message_id}"', "webhook-id": message_id, "webhook-timestamp": str(now)}
        if self._secret:
            headers["webhook-signature"] = signature(self._secret, message_id, now, body)
        return headers

    def _given_up(self, event: Event, reason: str) -> SinkError:
        if self._dead_letters is None:
            return SinkError(f"event {event_id(event)} was given up: {reason}", final=True)
        try:
            _keep(self._dead_letters, dead_letter(event, reason))
        except BadInputError as error:
            return SinkError(error.message)
        return SinkError(f"event {event_id(event)} was given up, see {self._dead_letters}: {reason}", final=True)


def _signing(secret: Secret) -> str:
    found = secret.reveal()
    try:
        signature(found, "", 0, b"")
    except ValueError as error:
        hint = "use the secret as the receiver shows it, or any text without whsec_"
        raise BadInputError("webhook.secret begins with whsec_, and what follows is not Base64", hint) from error
    return found


def _keep(path: Path, line: bytes) -> None:
    try:
        append_private(path, line)
    except OSError as error:
        hint = "name a file in a directory that exists and can be written"
        raise BadInputError(f"webhook.dead_letters {path}: {error.strerror}", hint) from error
