"""Settings of the taps."""

from __future__ import annotations

from pydantic import Field

from monitor.sections import Positive, Section


class RtpSection(Section):
    """[taps.rtp]"""

    listen: list[str] = Field([], description="HOST:PORT for calls of one party, HOST:PORT+PORT for two")
    sdp: str = Field("", description="SDP file that says what the payload types are; empty = none")
    payload_types: dict[str, str] = Field({}, description='dynamic ones, such as { 96 = "opus/48000/2" }')


class AudioSocketSection(Section):
    """[taps.audiosocket]"""

    listen: list[str] = Field([], description="HOST:PORT, where Asterisk connects to")
    allow: list[str] = Field([], description="UUIDs of the calls that are taken; empty = all")
    hello_s: Positive = Field(5.0, description="a connection whose UUID has not come by then is closed")
    max_connections: int = Field(500, ge=1, le=10_000, description="connections at once; more are closed")


class TapsSection(Section):
    """[taps]"""

    audiosocket: AudioSocketSection = AudioSocketSection()
    rtp: RtpSection = RtpSection()
