"""The WebSocket server itself, with a real client, and a handler whose steps the test knows."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from monitor.config.addresses import read_certificate
from monitor.config.taps import TapsSection
from monitor.errors import BadInputError
from monitor.taps.tap_events import CallAudio, CallEnded, CallPaused, CallStarted, RefusedError, TapEvent
from monitor.taps.websocket.handler import BadMessageError, Close, Send, Step, UpgradeRequest
from monitor.taps.websocket.listener import WebsocketListener
from monitor.taps.websocket.registry import PROTOCOLS, ServedProtocol

pytestmark = pytest.mark.realtime

requests: list[UpgradeRequest] = []
TOO_LONG = "a message longer than taps.websocket.max_message_bytes"


class Scripted:
    """A protocol for tests: "call NAME" begins one, bytes are audio at 8 kHz, other words do what they say."""

    def __init__(self) -> None:
        self.call, self.at = "", 0

    def text(self, text: str, _now: float) -> Iterable[Step]:
        word, _, rest = text.partition(" ")
        if word == "call":
            yield CallStarted(rest, "scripted", ("party",), 8000)
            self.call = rest
            yield Send(f"taken {rest}")
        elif word == "echo":
            yield Send(rest)
        elif word == "steal":
            yield CallEnded(rest, "by another")
        elif word == "pause":
            yield CallPaused(self.call, "on hold")
        elif word == "bad":
            raise BadMessageError("not understood")
        elif word == "fault":
            raise ZeroDivisionError
        elif word == "end":
            yield CallEnded(self.call, "they said so")
            yield Close()

    def binary(self, data: bytes, _now: float) -> Iterable[Step]:
        yield CallAudio(self.call, 0, self.at, np.zeros(len(data), np.float32))
        self.at += len(data)

    def tick(self, _now: float) -> Iterable[Step]:
        return ()

    def refused(self, reason: str) -> Iterable[Step]:
        yield Send(f"not taken: {reason}")

    def closed(self, why: str) -> Iterable[TapEvent]:
        if self.call:
            yield CallEnded(self.call, why)


def make(request: UpgradeRequest, _config: TapsSection) -> Scripted:
    requests.append(request)
    return Scripted()


class Heard(list[TapEvent]):
    """What was delivered. refuses: names of calls that are not taken."""

    refuses: tuple[str, ...] = ()

    def __call__(self, tap_event: TapEvent) -> None:
        if isinstance(tap_event, CallStarted) and tap_event.call in self.refuses:
            raise RefusedError("full")
        self.append(tap_event)

    async def until(self, found: Callable[[TapEvent], bool]) -> TapEvent:
        async with asyncio.timeout(30):
            while True:
                for tap_event in self:
                    if found(tap_event):
                        return tap_event
                await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    served = ServedProtocol(f"{__name__}:make", subprotocols=("one.example", "two.example"))
    monkeypatch.setitem(PROTOCOLS, "scripted", served)
    requests.clear()


@asynccontextmanager
async def listening(heard: Heard, idle_s: float = 10.0, **settings: Any) -> AsyncIterator[WebsocketListener]:
    config = TapsSection.model_validate({"websocket": {"listen": ["127.0.0.1:0"], **settings}})
    listener = WebsocketListener(config, heard, idle_s)
    running = asyncio.create_task(listener.run())
    await asyncio.wait_for(listener.ready.wait(), 30)
    try:
        yield listener
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def dial(listener: WebsocketListener, path: str = "/scripted", **options: Any) -> connect:
    host, port = listener.bound[0]
    return connect(f"ws://{host}:{port}{path}", proxy=None, **options)


async def refused(listener: WebsocketListener, path: str = "/scripted") -> tuple[int, str]:
    """The status of HTTP, and what the monitor says."""
    with pytest.raises(InvalidStatus) as caught:
        await dial(listener, path)
    return caught.value.response.status_code, (caught.value.response.body or b"").decode().strip()


async def counted(listener: WebsocketListener, counts: dict[str, int]) -> None:
    """Wait for it: the peer may see the end of its connection first."""
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while sum(listener.counts.values()) < sum(counts.values()):
                await asyncio.sleep(0.01)
    assert listener.counts == counts


async def say(client: ClientConnection, messages: Iterable[str | bytes]) -> None:
    """Send; it may be closed meanwhile."""
    with suppress(ConnectionClosed):
        for message in messages:
            await client.send(message)


async def closed(client: ClientConnection) -> tuple[int, str]:
    """The code and the reason that the monitor closes with."""
    await client.wait_closed()
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""


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


async def test_a_path_of_no_protocol() -> None:
    async with listening(Heard()) as listener:
        for path in ("/", "/nothing", "//", "/%2e%2e/scripted"):
            assert await refused(listener, path) == (404, "a path of no protocol")
        await counted(listener, {"a path of no protocol": 4})


async def test_only_what_is_switched_on_is_served() -> None:
    async with listening(Heard(), protocols=["twilio"]) as listener:
        assert (await refused(listener))[0] == 404


async def test_a_peer_without_the_secret_gets_no_connection() -> None:
    async with listening(Heard(), token="s3cret") as listener:
        assert await refused(listener) == (401, "no token or password")
        assert await refused(listener, "/scripted/wrong") == (401, "wrong token or password")
        async with dial(listener, "/scripted/s3cret") as client:
            await client.send("echo hello")
            assert await client.recv() == "hello"
        await counted(listener, {"no token or password": 1, "wrong token or password": 1})
    assert len(requests) == 1


async def test_a_web_page_gets_no_connection() -> None:
    async with listening(Heard()) as listener:
        with pytest.raises(InvalidStatus) as caught:
            await dial(listener, origin="https://evil.example")
        assert caught.value.response.status_code == 403
        assert requests == []


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


async def test_more_connections_than_are_allowed_are_refused() -> None:
    async with listening(Heard(), max_connections=2) as listener:
        async with dial(listener), dial(listener):
            reason = "connections beyond taps.websocket.max_connections"
            assert await refused(listener) == (503, reason)
            await counted(listener, {reason: 1})
        async with dial(listener) as client:
            await client.send("echo x")
            assert await client.recv() == "x"


async def test_sockets_that_ask_for_nothing_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.taps.websocket.unopened.UNOPENED_OF_HOST", 20)
    async with listening(Heard(), max_connections=1) as listener:
        host, port = listener.bound[0]
        open_ = [await asyncio.open_connection(host, port) for _ in range(20)]
        async with dial(listener) as client:
            await client.send("echo x")
            assert await client.recv() == "x", "who asks at once is heard"
        assert await open_[0][0].read() == b"", "the oldest made room"
        assert listener.counts["more than 20 connections of a host that have asked for nothing"] == 1
        for _, writer in open_:
            writer.close()


async def test_who_asks_while_many_connect_at_once_is_heard() -> None:
    async with listening(Heard(), max_connections=20) as listener:
        host, port = listener.bound[0]
        clients, idle = [asyncio.ensure_future(dial(listener).__aenter__()) for _ in range(10)], []
        for _ in range(3):
            idle += await asyncio.gather(*(asyncio.open_connection(host, port) for _ in range(80)))
        for client in await asyncio.gather(*clients):
            await client.send("echo x")
            assert await client.recv() == "x"
            await client.close()
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET /scripted HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /" + b"x" * 100_000,
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
        b"\x00" * 5000,
    ],
)
async def test_what_is_no_websocket_is_closed(data: bytes) -> None:
    async with listening(Heard()) as listener:
        reader, writer = await asyncio.open_connection(*listener.bound[0])
        writer.write(data)
        with suppress(ConnectionError):
            await writer.drain()
            writer.write_eof()
            answer = await reader.read()
            assert not answer or answer.startswith(b"HTTP/1.1 4")
        writer.close()
        async with dial(listener) as client:
            await client.send("echo x")
            assert await client.recv() == "x"


async def test_frames_that_are_none_and_text_that_is_none() -> None:
    async with listening(Heard()) as listener:
        for raw, code in ((b"\xff\xff\xff\xff", 1002), (b"\x81\x82\x00\x00\x00\x00\xff\xfe", 1007)):
            async with dial(listener) as client:
                client.transport.write(raw)
                assert (await closed(client))[0] == code
        await counted(listener, {"frames that are no WebSocket": 1, "text that is not UTF-8": 1})


async def test_a_peer_that_vanishes() -> None:
    heard = Heard()
    async with listening(heard) as listener:
        client = await dial(listener)
        await client.send("call one")
        assert await client.recv() == "taken one"
        client.transport.abort()
        ended = await heard.until(lambda h: isinstance(h, CallEnded))
        assert ended == CallEnded("one", "the connection broke")


async def test_a_peer_that_reads_no_answers_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.taps.websocket.listener.SEND_S", 0.2)
    heard = Heard()
    async with listening(heard, max_messages_per_s=100_000, max_bytes_per_s=10**8) as listener:
        client = await dial(listener, max_queue=1, compression=None)
        await client.send("call one")
        with suppress(ConnectionClosed):
            for _ in range(2000):
                await client.send("echo " + "x" * 60_000)
        ended = await heard.until(lambda h: isinstance(h, CallEnded))
        assert ended == CallEnded("one", "the peer reads no answers")
        await counted(listener, {"the peer reads no answers": 1})
        client.transport.abort()


async def test_compressed_messages_are_read_and_a_bomb_is_not_unpacked() -> None:
    async with listening(Heard()) as listener:
        async with dial(listener, compression="deflate") as client:
            assert "permessage-deflate" in client.response.headers["Sec-WebSocket-Extensions"]
            await client.send("echo " + "x" * 60_000)
            assert await client.recv() == "x" * 60_000
            await client.send("x" * (1 << 26))
            assert (await closed(client))[0] == 1009
        await counted(listener, {TOO_LONG: 1})


async def test_tls(tmp_path: Path) -> None:
    authority, trusting = trustme.CA(), ssl.create_default_context()
    issued = authority.issue_cert("127.0.0.1")
    authority.configure_trust(trusting)
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    async with listening(Heard(), **files) as listener:
        host, port = listener.bound[0]
        async with connect(f"wss://{host}:{port}/scripted", ssl=trusting, proxy=None) as client:
            await client.send("echo x")
            assert await client.recv() == "x"
        with pytest.raises(InvalidMessage):
            await dial(listener)
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(f"wss://{host}:{port}/scripted", ssl=ssl.create_default_context(), proxy=None)
    assert requests[0].url == f"wss://{host}:{port}/scripted"


def test_a_certificate_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nonsense")
    for name in (tmp_path / "cert.pem", tmp_path / "none.pem"):
        with pytest.raises(BadInputError, match=r"taps\.websocket\.certificate"):
            read_certificate("taps.websocket", str(name), str(name))


async def test_a_port_that_is_taken() -> None:
    async with listening(Heard()) as listener:
        host, port = listener.bound[0]
        config = TapsSection.model_validate({"websocket": {"listen": [f"{host}:{port}"]}})
        with pytest.raises(BadInputError, match="is in use"):
            await WebsocketListener(config, Heard(), 10.0).run()


async def test_a_monitor_that_stood_still_blames_no_peer() -> None:
    heard = Heard()
    async with listening(heard, idle_s=1.0) as listener, dial(listener) as client:
        await client.send("call one")
        assert await client.recv() == "taken one"
        await client.send(bytes(160))
        time.sleep(1.5)
        await client.send(bytes(160))
        await client.send("echo still here")
        assert await client.recv() == "still here"
        assert listener.counts == {}
    assert [type(h) for h in heard] == [CallStarted, CallAudio, CallAudio, CallEnded]


async def test_one_peer_with_much_to_say_does_not_keep_the_others_waiting() -> None:
    async with listening(Heard()) as listener, dial(listener) as one, dial(listener) as other:
        for n in range(1000):
            await one.send(f"echo {n}")
        await other.send("echo me")
        assert await other.recv() == "me"
        assert [await one.recv() for _ in range(1000)] == [str(n) for n in range(1000)]
