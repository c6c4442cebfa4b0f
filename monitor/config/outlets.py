"""Settings of the outlets: where alerts go besides ZeroMQ and the journal."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from monitor.config.addresses import is_loopback, split_host
from monitor.config.section import Positive, Secret, SecretUrl, Section
from monitor.errors import ConfigError

EventGroup = Literal[
    "alert",
    "fault",
    "anchor",
    "health",
    "call",
    "state",
    "score",
    "alert.opened",
    "alert.updated",
    "alert.closed",
    "call.started",
    "call.ended",
    "call.marked",
    "state.changed",
]

_EVENTS = "which events: alert, fault, anchor, health, call, state, score, or one type"
ALERTS: list[EventGroup] = ["alert", "fault"]
RECORDS: list[EventGroup] = [*ALERTS, "anchor"]


def _check_url(url: str) -> str:
    """Raises ValueError for what is not an http(s) URL of a host, or holds a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write a URL such as https://example.org/hook")
    _ = parts.port
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL is shown and logged: put the password into headers, as a secret")
    if parts.fragment or any(letter <= " " or letter > "~" for letter in url):
        raise ValueError("a URL has no fragment, no spaces, and other letters percent-encoded")
    return url


def in_clear(url: str) -> bool:
    """Return whether others on the network can read what is sent there."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


class HttpSection(Section):
    """Settings that all outlets over HTTP share."""

    url: SecretUrl = Field(SecretUrl(""), description="http(s) URL that takes the events, or file:, env:; empty = none")
    headers: dict[str, Secret] = Field({}, description='more headers, such as { Authorization = "file:token" }')
    ca_file: str = Field("", description="PEM file of the authorities to trust; empty = those of the system")
    timeout_s: Positive = Field(10.0, le=120, description="for connecting and for each answer")
    attempts: int = Field(8, ge=1, le=100, description="refusals of one event before it is given up")
    retry_first_s: Positive = Field(0.5, description="first wait after a failure; doubles from there, with jitter")
    retry_longest_s: Positive = Field(60.0, le=3600, description="longest wait between two attempts")

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: SecretUrl) -> SecretUrl:
        text = url.get_secret_value()
        if text and not text.startswith(("file:", "env:")):
            _check_url(text)
        return url

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.retry_first_s > self.retry_longest_s:
            raise ValueError("retry_first_s must not exceed retry_longest_s")
        if self.headers and in_clear(self.url.get_secret_value()):
            raise ValueError("headers would cross the network in clear: the url must begin with https://")
        return self

    @property
    def address(self) -> str:
        """Return the URL itself. Raises ConfigError for one that is not there, or is none."""
        url = self.url.reveal()
        try:
            _check_url(url)
            if self.headers and in_clear(url):
                raise ValueError("headers would cross the network in clear: the url must begin with https://")
        except ValueError as error:
            raise ConfigError(f"the URL in {self.url.shown}: {error}", "keep one http(s) URL there") from error
        return url


class WebhookSection(HttpSection):
    """[webhook]"""

    events: list[EventGroup] = Field(RECORDS, min_length=1, description=_EVENTS)
    body: Literal["cloudevents", "cloudevents-binary", "ocsf", "alertmanager"] = Field(
        "cloudevents", description="what is sent; ocsf and alertmanager know alerts alone"
    )
    secret: Secret = Field(Secret(""), description="signs each request (HMAC-SHA256), as file:PATH or env:NAME")
    spool: str = Field("", description="file that holds what is not delivered yet over a restart; empty = memory alone")
    dead_letters: str = Field("", description="file for events that were given up, as JSON lines; empty = dropped")


class AlertmanagerSection(HttpSection):
    """[alertmanager]"""

    url: SecretUrl = Field(
        SecretUrl(""), description="Alertmanager's own URL, such as http://127.0.0.1:9093; empty = none"
    )
    resend_s: Positive = Field(30.0, description="between two announcements of an open alert")


class SyslogSection(Section):
    """[syslog]"""

    address: str = Field("", description="HOST:PORT of the receiver; empty = none")
    events: list[EventGroup] = Field(RECORDS, min_length=1, description=_EVENTS)
    transport: Literal["udp", "tcp", "tls"] = Field("udp", description="RFC 5426, RFC 6587 or RFC 5425")
    facility: int = Field(16, ge=0, le=23, description="16 to 23 are local0 to local7")
    enterprise_id: int = Field(32473, ge=0, description="of the structured data; 32473 is the one for examples")
    ca_file: str = Field("", description="PEM file of the authorities to trust; empty = those of the system")
    timeout_s: Positive = Field(5.0, le=120, description="for connecting and sending")


class MqttSection(Section):
    """[mqtt]"""

    address: str = Field("", description="HOST:PORT of the broker; empty = none")
    events: list[EventGroup] = Field(ALERTS, min_length=1, description=_EVENTS)
    prefix: str = Field("deepfake-speech-monitor", pattern=r"^[^#+\x00]+$", description="first levels of every topic")
    client_id: str = Field("", description="empty = one of its own for each run")
    version: Literal["5", "3.1.1"] = Field("5", description="of the protocol")
    user: str = Field("", description="empty = none")
    password: Secret = Field(Secret(""), description="as file:PATH or env:NAME")
    tls: bool = Field(False, description="encrypt, and check the broker's certificate")
    ca_file: str = Field("", description="PEM file of the authorities to trust; empty = those of the system")
    timeout_s: Positive = Field(10.0, le=120, description="for connecting and for each acknowledgement")

    @model_validator(mode="after")
    def _password_is_safe(self) -> Self:
        host = split_host(self.address)[0]
        if self.password.get_secret_value() and not self.tls and host and not is_loopback(host):
            raise ValueError("password would cross the network in clear: set tls = true")
        return self


class MetricsSection(Section):
    """[metrics]"""

    listen: str = Field("", description="HOST:PORT for /metrics, such as 127.0.0.1:9464; empty = none")


class DesktopSection(Section):
    """[desktop]"""

    enabled: bool = Field(False, description="one notification on this desktop for each alert")
    least_interval_s: Positive = Field(5.0, description="between two notifications; what comes meanwhile is counted")
