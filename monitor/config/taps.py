"""Settings of the taps."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from monitor.config.section import Positive, Secret, Section

NONE = Secret("")


class RtpSection(Section):
    """[taps.rtp]"""

    listen: list[str] = Field([], description="HOST:PORT for calls of one party, HOST:PORT+PORT for two")
    sdp: str = Field("", description="SDP file that says what the payload types are; empty = none")
    payload_types: dict[str, str] = Field({}, description='dynamic ones, such as { 96 = "opus/48000/2" }')
    port_step: int = Field(
        0, ge=-1000, le=1000, description="source port of a callee less that of its caller; 0 = nobody says"
    )


class AudioSocketSection(Section):
    """[taps.audiosocket]"""

    listen: list[str] = Field([], description="HOST:PORT, where Asterisk connects to")
    allow: list[str] = Field([], description="UUIDs of the calls that are taken; empty = all")
    hello_s: Positive = Field(5.0, description="a connection whose UUID has not come by then is closed")
    max_connections: int = Field(500, ge=1, le=10_000, description="connections at once; more are closed")


class WebsocketSection(Section):
    """[taps.websocket]"""

    listen: list[str] = Field([], description="HOST:PORT; the path of a request picks its protocol")
    protocols: list[str] = Field([], description="those that are served; empty = all")
    certificate: str = Field("", description="PEM file with the certificate chain, for wss; empty = no TLS")
    key: str = Field("", description="PEM file with the key of the certificate")
    public_url: str = Field("", description="how peers dial a proxy in front of this, such as wss://calls.example.com")
    token: Secret = Field(NONE, description="secret that peers show: Bearer, ?token= or /PROTOCOL/TOKEN")
    basic: Secret = Field(NONE, description="user:password that peers show (HTTP basic)")
    twilio_auth_token: Secret = Field(NONE, description="of your Twilio account: checks X-Twilio-Signature")
    fonoster_secret: Secret = Field(NONE, description="signing secret of your stream: checks x-fonoster-signature")
    max_connections: int = Field(400, ge=1, le=20_000, description="at once; more are refused")
    max_message_bytes: int = Field(65_536, ge=1024, le=2**24, description="after decompression")
    max_messages_per_s: int = Field(500, ge=10, le=100_000, description="of one peer, on average over 10 s")
    max_bytes_per_s: int = Field(500_000, ge=10_000, le=2**28, description="of one peer, on average over 10 s")
    max_ahead_s: Positive = Field(
        10.0, le=600, description="audio ahead of the clock; a peer that sends more is closed"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key go together")
        if self.basic and ":" not in self.basic.get_secret_value():
            raise ValueError("basic is user:password")
        if self.public_url and not self.public_url.startswith(("wss://", "ws://")):
            raise ValueError("public_url begins with wss://")
        return self


class AudiohookSection(Section):
    """[taps.audiohook]"""

    keys: dict[str, Secret] = Field({}, description="API key to client secret (base64), as in Genesys Cloud")
    keys_file: str = Field("", description="file for its owner alone with an API key and a secret on each line")


class TapsSection(Section):
    """[taps]"""

    audiosocket: AudioSocketSection = AudioSocketSection()
    rtp: RtpSection = RtpSection()
    websocket: WebsocketSection = WebsocketSection()
    audiohook: AudiohookSection = AudiohookSection()
