"""The WebSocket server itself, with a real client, and a handler whose steps the test knows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import pytest
from websocket_tap import TOO_LONG, Heard, closed, counted, dial, listening, requests, serve_scripted
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted

pytestmark = pytest.mark.realtime


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    serve_scripted(monkeypatch)


async def say(client: ClientConnection, messages: Iterable[str | bytes]) -> None:
    """Send; it may be closed meanwhile."""
    with suppress(ConnectionClosed):
        for message in messages:
            await client.send(message)


async def test_a_call_from_its_first_message_to_the_end_of_its_connection() -> None:
    heard = Heard()
    async with listening(heard) as listener:
        async with dial(listener, "/scripted?a=1&b=x%20y", subprotocols=["two.example"]) as client:
            assert client.subprotocol == "two.example"
            await client.send("call one")
            assert await client.recv() == "taken one"
            await client.send(bytes(160))
        await heard.until(lambda h: isinstance(h, CallEnded))
    assert [type(h) for h in heard] == [CallStarted, CallAudio, CallEnded]
    assert heard[-1] == CallEnded("one", "the peer hung up")
    assert requests[0].path == ("scripted",)
    assert requests[0].query == {"a": "1", "b": "x y"}
    assert requests[0].url.endswith("/scripted?a=1&b=x%20y")


async def test_a_peer_that_comes_back_with_its_id_begins_a_call_of_its_own() -> None:
    """Its old connection is still there: a network that broke says nothing of it."""
    heard = Heard()
    async with listening(heard) as listener, dial(listener) as old:
        await say(old, ["call one", bytes(160)])
        assert await old.recv() == "taken one"
        async with dial(listener) as new:
            await say(new, ["call one", bytes(80), bytes(80)])
            assert await new.recv() == "taken one"
            second = await heard.until(lambda h: isinstance(h, CallStarted) and h.call != "one")
            assert isinstance(second, CallStarted)
            assert second.name == "one"
            await say(old, [bytes(40)])
        await heard.until(lambda h: isinstance(h, CallEnded))
        assert [h for h in heard if isinstance(h, CallEnded)] == [CallEnded(second.call, "the peer hung up")]
        await say(old, ["end"])
        await heard.until(lambda h: isinstance(h, CallEnded) and h.call == "one")
    audio = [(h.call, h.start, len(h.samples)) for h in heard if isinstance(h, CallAudio)]
    assert [a for a in audio if a[0] == "one"] == [("one", 0, 160), ("one", 160, 40)]
    assert [a[1:] for a in audio if a[0] == second.call] == [(0, 80), (80, 80)]


async def test_an_id_is_free_again_once_its_call_has_ended() -> None:
    heard = Heard()
    async with listening(heard) as listener:
        for turn in range(3):
            async with dial(listener) as client:
                await say(client, ["call one", "end"])
                await closed(client)
            assert [h.call for h in heard if isinstance(h, CallEnded)] == ["one"] * (turn + 1)
    assert [(h.call, h.name) for h in heard if isinstance(h, CallStarted)] == [("one", "")] * 3


async def test_a_call_that_is_refused_is_answered_and_closed() -> None:
    heard = Heard()
    heard.refuses = ("two",)
    async with listening(heard) as listener, dial(listener) as client:
        await client.send("call two")
        assert await client.recv() == "not taken: full"
        assert await closed(client) == (1013, "full")
        await counted(listener, {"refused calls": 1})
    assert heard == []


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["bad"], 1002, "not understood"),
        (["call one", "bad"], 1002, "not understood"),
        (["call one", "call two"], 1008, "a second call on one connection"),
        (["call one", "end"], 1000, ""),
        (["x" * 70_000], 1009, ""),
        ([bytes(70_000)], 1009, ""),
        (["call one", *[bytes(60_000)] * 3], 1008, "audio further ahead of the clock than taps.websocket.max_ahead_s"),
    ],
)
async def test_how_a_connection_is_closed(words: list[str | bytes], code: int, reason: str) -> None:
    heard = Heard()
    async with listening(heard) as listener, dial(listener) as client:
        await say(client, words)
        got = await closed(client)
        assert got[0] == code
        assert reason in got[1]
        await counted(listener, {} if code == 1000 else {reason or TOO_LONG: 1})
        if words[0] == "call one":
            await heard.until(lambda h: isinstance(h, CallEnded))
    assert len([h for h in heard if isinstance(h, CallEnded)]) == (words[0] == "call one")


async def test_a_fault_of_a_handler_ends_its_own_call_alone() -> None:
    heard = Heard()
    async with listening(heard) as listener, dial(listener) as one, dial(listener) as other:
        await say(one, ["call one", "fault"])
        assert (await closed(one))[0] == 1011
        assert await heard.until(lambda h: h.call == "one" and isinstance(h, CallEnded)) == CallEnded(
            "one", "fault of the tap: ZeroDivisionError"
        )
        await other.send("echo still here")
        assert await other.recv() == "still here"
        await counted(listener, {"fault of the tap: ZeroDivisionError": 1})


async def test_a_connection_speaks_for_its_own_call_alone() -> None:
    heard = Heard()
    async with listening(heard) as listener, dial(listener) as one, dial(listener) as other:
        await one.send("call one")
        assert await one.recv() == "taken one"
        await say(other, ["steal one", bytes(160), "echo done"])
        assert await other.recv() == "done"
    assert [type(h) for h in heard] == [CallStarted, CallEnded]
    assert heard[1] == CallEnded("one", "the peer hung up")


async def test_a_peer_from_which_nothing_comes_is_closed() -> None:
    heard = Heard()
    async with listening(heard, idle_s=1.0) as listener:
        async with dial(listener) as client:
            assert await closed(client) == (1008, "no call began")
        async with dial(listener) as client:
            await say(client, ["call one", bytes(160)])
            assert (await closed(client))[1].startswith("nothing came for")
        await counted(listener, {"no call began": 1})
    assert [type(h) for h in heard] == [CallStarted, CallAudio, CallEnded]


async def test_messages_that_are_no_audio_do_not_keep_a_call_alive_and_a_pause_does() -> None:
    heard = Heard()
    async with listening(heard, idle_s=0.5) as listener:
        async with dial(listener) as client:
            await client.send("call one")
            while client.close_code is None:
                with suppress(ConnectionClosed):
                    await client.send("echo x")
                await asyncio.sleep(0.05)
        async with dial(listener) as client:
            await say(client, ["call two", "pause"])
            await asyncio.sleep(1.0)
            assert client.close_code is None
    assert [h.call for h in heard if isinstance(h, CallEnded)] == ["one", "two"]
