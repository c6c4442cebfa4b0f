"""Settings of the web page."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from monitor.config.section import Secret, Section


class WebSection(Section):
    """[web]"""

    listen: str = Field("", description="HOST:PORT of the page, such as 127.0.0.1:8000; empty = no page")
    token: Secret = Field(Secret(""), description="secret that the page asks for; empty = none")
    certificate: str = Field("", description="PEM file for HTTPS; empty = plain HTTP")
    key: str = Field("", description="PEM file of its private key; empty = in the certificate's file")
    hosts: list[str] = Field([], description="names under which browsers may ask for the page; addresses always may")
    microphone: bool = Field(True, description="let a browser offer its own microphone as a call")
    listen_in: bool = Field(False, description="let whoever sees the page hear the calls: a matter of privacy")
    max_clients: int = Field(32, ge=1, le=1000, description="open pages and listeners; more are refused")
    max_microphones: int = Field(4, ge=1, le=1000, description="calls from browsers at once; more are refused")

    keep_ended_s: float = Field(86_400.0, ge=0, le=31_536_000, description="a call is shown so long after its end")
    keep_ended_calls: int = Field(2000, ge=0, le=100_000, description="calls that have ended and are still shown")

    @model_validator(mode="after")
    def _key_has_its_certificate(self) -> Self:
        if self.key and not self.certificate:
            raise ValueError("key needs a certificate")
        return self

    @model_validator(mode="after")
    def _listening_in_has_a_token(self) -> Self:
        if self.listen_in and not self.token.get_secret_value():
            raise ValueError(
                "listen_in lets people hear calls: set web.token, so that not everybody on this machine may"
            )
        return self
