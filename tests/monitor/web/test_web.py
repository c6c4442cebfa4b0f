"""The page's server as browsers and programs meet it: what it gives, and what it refuses."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme
from helpers import assert_one_error, environment, run_here, run_monitor, settings, turning_call, voice
from web_server import Served, frames, picture, serving_page, speak
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

pytestmark = pytest.mark.realtime

TOKEN = "correct horse battery"
RATE = 16_000
BEARER = {"Authorization": f"Bearer {TOKEN}"}
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""An example of RFC 6455, section 1.3."""
HELLO = json.dumps({"rate": RATE, "label": "a test"})


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Without a token, with room for one microphone and two pages."""
    limits = settings("web.max_microphones=1", "web.max_clients=2", "serve.idle_s=3")
    with serving_page(tmp_path_factory.mktemp("open"), *limits) as served:
        yield served


@pytest.fixture(scope="module")
def trusted() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, trusted: trustme.CA) -> Iterator[Served]:
    """With a token, over HTTPS, and with listening in."""
    folder = tmp_path_factory.mktemp("locked")
    trusted.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    words = settings("web.certificate=server.pem", "web.listen_in=true", "web.hosts=['monitor.example']")
    with serving_page(folder, *words, env=environment(MONITOR_WEB__TOKEN=TOKEN)) as served:
        yield served


@pytest.fixture(scope="module")
def trust(trusted: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    trusted.configure_trust(context)
    return context


Dial = Callable[..., ClientConnection]


@pytest.fixture(scope="module")
def dial(locked: Served, trusted: trustme.CA) -> Dial:
    """A WebSocket to the locked page, with the secret.

    By TLS 1.2: tickets of TLS 1.3 come after the handshake, and the client's reading thread then waits in OpenSSL,
    where none of the client's time limits reaches it.
    """
    context = ssl.create_default_context()
    trusted.configure_trust(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def dial(path: str, headers: Mapping[str, str] = BEARER) -> ClientConnection:
        address = f"wss://localhost:{locked.port}{path}"
        return connect(address, ssl=context, additional_headers=headers, open_timeout=30, proxy=None)

    return dial


def status_of(served: Served, path: str, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        served.socket(path, **headers)
    return refused.value.response.status_code


def test_the_page_comes_with_headers_that_bind_the_browser(page: Served) -> None:
    status, headers, body = page.request("/")
    assert status == 200
    assert b"<html" in body
    assert b"://" not in body.replace(b"http://www.w3.org", b"")  # nothing from anywhere else
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


@pytest.mark.parametrize("name", ["app.js", "style.css", "icon.svg", "microphone-worklet.js"])
def test_what_the_page_is_made_of_is_there(page: Served, name: str) -> None:
    status, headers, _ = page.request(f"/static/{name}")
    assert status == 200
    assert headers["content-type"].split(";")[0] in ("text/javascript", "text/css", "image/svg+xml")


@pytest.mark.parametrize("path", ["/nothing", "/static/../listener.py", "/static/%2e%2e/listener.py", "/static/"])
def test_there_is_nothing_else(page: Served, path: str) -> None:
    assert page.request(path)[0] == 404


def test_a_name_that_was_led_here_is_refused(page: Served) -> None:
    assert page.request("/", Host="evil.example")[0] == 421
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": KEY}
    assert page.request("/live", Host="evil.example:80", **upgrade)[0] == 421


def test_other_sites_are_refused(page: Served) -> None:
    assert page.request("/session", Origin="http://evil.example")[0] == 403
    assert page.request("/session", "POST", "x", Sec_Fetch_Site="cross-site")[0] == 403
    for path in ("/live", "/microphone", "/listen"):
        assert status_of(page, path, Origin="http://evil.example") == 403


def test_listening_in_is_refused_unless_it_was_asked_for(page: Served) -> None:
    assert json.loads(page.request("/session")[2]) == {"signed_in": True, "microphone": True, "listen_in": False}
    assert status_of(page, "/listen?call=browser-1&channel=microphone") == 403


def test_pictures_are_given_one_for_each_wish(page: Served) -> None:
    with page.socket("/live", Origin=page.address.rstrip("/")) as live:
        seen = picture(live, open="", seen=[])
        assert seen["call"] is None
        assert seen["table"]["max_calls"] == 200
        assert any(tap.startswith("web 127.0.0.1:") for tap in seen["table"]["taps"])
        for _ in range(3):
            assert picture(live, open="nobody")["open"] == "nobody"


@pytest.mark.parametrize("message", ["nonsense", "[]", b"\0", "x" * 200_000])
def test_a_page_that_talks_nonsense_is_closed(page: Served, message: str | bytes) -> None:
    with page.socket("/live") as live:
        live.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            live.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1008, 1009)


def test_more_pages_than_there_is_room_for_are_told_so(page: Served) -> None:
    with page.socket("/live") as one, page.socket("/live") as other:
        picture(one)
        picture(other)
        with page.socket("/live") as third, pytest.raises(ConnectionClosed, match="2 pages are open already"):
            third.recv(timeout=30)
    with page.socket("/live") as again:
        assert picture(again)["table"]


def test_a_microphone_that_turns_synthetic_raises_an_alert(page: Served) -> None:
    with page.socket("/microphone") as microphone, page.socket("/live") as live:
        microphone.send(HELLO)
        call = json.loads(microphone.recv(timeout=30))["call"]
        speaking = threading.Thread(target=speak, args=(microphone, turning_call(3, 5, 0), RATE))
        speaking.start()
        with page.socket("/microphone") as second, pytest.raises(ConnectionClosed, match="1 microphones are watched"):
            second.recv(timeout=30)
        seen: dict[str, Any] = {"table": {"states": {}}}
        while not seen["table"]["states"].get("alert"):
            assert speaking.is_alive()
            seen = picture(live, open=call, seen=[call])
        speaking.join()
        (row,) = seen["table"]["calls"]
        assert (row["call"], row["state"], row["origin"]) == (call, "alert", "browser")
        (channel,) = seen["call"]["channels"]
        assert channel["name"] == "microphone"
        assert channel["line"]["points"][-1] > 90
        assert seen["lines"][call]["points"]
    ended = json.loads(page.monitor.wait_for(lambda line: '"call.ended"' in line and call in line))
    assert ended["why"] == "the browser ended it"
    assert ended["lost_s"] == 0
    assert ended["channels"]["microphone"]["alerts"] == 1


def ending_of(page: Served, call: str) -> dict[str, Any]:
    ended: dict[str, Any] = json.loads(
        page.monitor.wait_for(lambda line: '"call.ended"' in line and f'"{call}"' in line)
    )
    return ended


def test_frames_that_a_browser_lost_are_seen(page: Served) -> None:
    with page.socket("/microphone") as microphone:
        microphone.send(HELLO)
        call = json.loads(microphone.recv(timeout=30))["call"]
        for number, frame in enumerate(frames(voice(1.0), RATE)):
            if not 10 <= number < 20:
                microphone.send(frame)
    assert ending_of(page, call)["lost_s"] == pytest.approx(0.2)


def test_a_suspended_microphone_pauses_its_call(page: Served) -> None:
    with page.socket("/microphone") as microphone:
        microphone.send(HELLO)
        call = json.loads(microphone.recv(timeout=30))["call"]
        microphone.send(next(frames(voice(0.1), RATE)))
        microphone.send('{"paused": "the browser suspended the audio"}')
        page.monitor.wait_for(lambda line: '"paused"' in line and call in line)
        microphone.send('{"resumed": true}')
        page.monitor.wait_for(lambda line: '"recovered"' in line and call in line)
    assert ending_of(page, call)["lost_s"] == 0


def test_a_microphone_from_which_nothing_comes_is_let_go(page: Served) -> None:
    with page.socket("/microphone") as microphone:
        microphone.send(HELLO)
        call = json.loads(microphone.recv(timeout=30))["call"]
        with pytest.raises(ConnectionClosed, match="nothing came for 3 s"):
            microphone.recv(timeout=30)
    assert "nothing came for" in ending_of(page, call)["why"]


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        (['{"rate": 5}'], "a rate that no microphone has: 5"),
        ([b"audio at once"], ""),
        ([HELLO, b"odd"], "a frame of an odd or impossible length: 3"),
        ([HELLO, "what?"], "text that is not JSON"),
        ([HELLO, struct.pack("<I", 99_000_000) + b"\0\0"], "faster than real time"),
    ],
)
def test_a_microphone_that_talks_nonsense_is_closed(page: Served, messages: list[str | bytes], says: str) -> None:
    with page.socket("/microphone") as microphone:
        for message in messages:
            microphone.send(message)
        with suppress(ConnectionClosed):
            while microphone.recv(timeout=30):
                pass
        assert microphone.close_code == 1008
        assert says in (microphone.close_reason or "")


def test_what_is_refused_is_said(page: Served) -> None:
    page.request("/", Host="evil.example")
    page.monitor.wait_for(lambda line: "a name that is not in web.hosts" in line)


def test_the_secret_opens_the_page_and_nothing_else_does(locked: Served, trust: ssl.SSLContext) -> None:
    assert locked.request("/", tls=trust)[0] == 200
    assert not json.loads(locked.request("/session", tls=trust)[2])["signed_in"]
    assert locked.request("/session", "POST", "wrong horse battery", tls=trust)[0] == 403
    assert locked.request("/session", "POST", "x" * 2000, tls=trust)[0] == 413
    status, headers, _ = locked.request("/session", "POST", TOKEN, tls=trust)
    cookie = headers["set-cookie"]
    assert status == 200
    assert TOKEN not in cookie
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=strict"))
    assert json.loads(locked.request("/session", tls=trust, Cookie=cookie.split(";")[0])[2])["signed_in"]


def test_sockets_ask_for_the_secret(dial: Dial) -> None:
    for path in ("/live", "/microphone", "/listen"):
        with pytest.raises(InvalidStatus, match="401"), dial(path, {}):
            pass
    with dial("/live") as live:
        assert picture(live)["table"]


def test_one_channel_can_be_heard_where_that_is_allowed(locked: Served, dial: Dial) -> None:
    spoken = voice(3.0)
    with dial("/microphone") as microphone:
        microphone.send(HELLO)
        call = json.loads(microphone.recv(timeout=30))["call"]
        speaking = threading.Thread(target=speak, args=(microphone, spoken, RATE))
        speaking.start()
        query = f"/listen?call={call}&channel=microphone"
        heard = b""
        with dial(query) as listening:
            assert json.loads(listening.recv(timeout=30)) == {"rate": RATE}
            while len(heard) < RATE:
                heard += listening.recv(timeout=30)  # type: ignore[operator]
        speaking.join()
    sound = np.frombuffer(heard, "<i2").astype(np.float32)
    match = np.correlate(spoken, sound / np.linalg.norm(sound), "valid").max()
    assert match > 0.99 * np.linalg.norm(spoken[: len(sound)]) * 0.5
    result = locked.monitor.wait_for(lambda line: '"listened in"' in line)
    assert f"127.0.0.1 hears {call}, microphone" in result


def test_nobody_can_be_heard_who_is_not_there(dial: Dial) -> None:
    query = "/listen?call=nobody&channel=x"
    with dial(query) as listening, pytest.raises(ConnectionClosed, match="no such call"):
        listening.recv(timeout=30)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--web", "8000"), "is not an address"),
        (("--web", "127.0.0.1:70000"), "is not an address"),
        (("--web", "0.0.0.0:8000"), "set web.token and web.certificate"),
        (("--web", "0.0.0.0:8000", *settings(f"web.token={TOKEN}")), "set web.token and web.certificate"),
        (("--web", *settings("web.token=short")), "16 characters"),
        (
            ("--web", *settings(f"web.token={TOKEN}", "api.keys=[{name='crm',roles=['view'],secret='short'}]")),
            "key crm",
        ),
        (("--web", *settings("web.key=key.pem")), "key needs a certificate"),
        (("--web", *settings("web.certificate=nothing.pem")), "nothing.pem cannot be used"),
        (("--web", "192.0.2.77:8000", "--insecure"), "no address of this machine"),
    ],
)
def test_what_cannot_be_served_is_one_error(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_error(run_here(capsys, "serve", *words, "--no-publish"), says)


def test_a_port_that_is_taken_is_one_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = run_monitor("serve", "--web", address, "--no-publish", cwd=tmp_path)
    assert_one_error(ran, f"{address} is in use", "--web 127.0.0.1:8001")
