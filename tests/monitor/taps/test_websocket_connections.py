"""Who may connect over WebSocket, how many, and who is cut off."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from websocket_tap import TOO_LONG, Heard, closed, counted, dial, listening, requests, serve_scripted
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from monitor.config.addresses import read_certificate
from monitor.config.taps import TapsSection
from monitor.errors import BadInputError
from monitor.taps.tap_events import CallAudio, CallEnded, CallStarted
from monitor.taps.websocket.listener import WebsocketListener

pytestmark = pytest.mark.realtime


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    serve_scripted(monkeypatch)


async def refused(listener: WebsocketListener, path: str = "/scripted") -> tuple[int, str]:
    """The status of HTTP, and what the monitor says."""
    with pytest.raises(InvalidStatus) as caught:
        await dial(listener, path)
    return caught.value.response.status_code, (caught.value.response.body or b"").decode().strip()


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
