"""Settings of the taps."""

from __future__ import annotations

from pydantic import Field

from monitor.sections import Section


class RtpSection(Section):
    """[taps.rtp]"""

    listen: list[str] = Field([], description="HOST:PORT for calls of one party, HOST:PORT+PORT for two")
    sdp: str = Field("", description="SDP file that says what the payload types are; empty = none")
    payload_types: dict[str, str] = Field({}, description='dynamic ones, such as { 96 = "opus/48000/2" }')


class TapsSection(Section):
    """[taps]"""

    rtp: RtpSection = RtpSection()
