"""Sockets of the AudioSocket tap: who says nothing keeps nobody out."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from monitor.config.taps import AudioSocketSection
from monitor.taps.audiosocket import listener as sockets
from monitor.taps.audiosocket.frame_parser import UUID, pack
from monitor.taps.tap_events import CallStarted, TapEvent


async def test_of_connections_without_a_uuid_the_oldest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MOST_WAITING", 3)
    result: list[TapEvent] = []
    tap = sockets.AudioSocketListener(AudioSocketSection(listen=["127.0.0.1:0"]), result.append, 5.0)
    listening = asyncio.create_task(tap.run())
    await asyncio.wait_for(tap.ready.wait(), 30)
    idle = [await asyncio.open_connection(*tap.bound[0]) for _ in range(3)]
    _, caller = await asyncio.open_connection(*tap.bound[0])
    caller.write(pack(UUID, uuid.UUID(int=7).bytes) + pack(0x12, bytes(640)))
    async with asyncio.timeout(30):
        while not any(isinstance(one, CallStarted) for one in result):
            await asyncio.sleep(0.02)
        assert await idle[0][0].read() != b"", "a hangup, and the end"
    assert tap.counts["more than 3 connections of a host that have not said a UUID"] == 1
    for _, writer in [*idle, ("", caller)]:
        writer.close()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_a_flood_of_empty_connections_keeps_no_call_of_its_host_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MOST_WAITING", 60)
    result: list[TapEvent] = []
    tap = sockets.AudioSocketListener(AudioSocketSection(listen=["127.0.0.1:0"]), result.append, 5.0)
    listening = asyncio.create_task(tap.run())
    await asyncio.wait_for(tap.ready.wait(), 30)
    flood = [await asyncio.open_connection(*tap.bound[0]) for _ in range(100)]
    callers = []
    for number in range(5):
        _, caller = await asyncio.open_connection(*tap.bound[0])
        caller.write(pack(UUID, uuid.UUID(int=number).bytes) + pack(0x12, bytes(640)))
        callers.append(caller)
        flood += [await asyncio.open_connection(*tap.bound[0]) for _ in range(50)]
    async with asyncio.timeout(30):
        while sum(isinstance(one, CallStarted) for one in result) < 5:
            await asyncio.sleep(0.02)
    for writer in [*callers, *(writer for _, writer in flood)]:
        writer.close()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
