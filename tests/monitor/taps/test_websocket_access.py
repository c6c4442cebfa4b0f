"""What protects the WebSocket taps, what a peer has to show, and what it may send."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from helpers import assert_one_error, run_here, settings

from monitor.config.load import load_settings
from monitor.config.taps import TapsSection, WebsocketSection
from monitor.errors import BadInputError, ConfigError
from monitor.taps.peer_names import named
from monitor.taps.websocket.access import allowed_names, check_origin, check_peer, check_secured, dialled, served
from monitor.taps.websocket.handler import BadMessageError, RefusedRequestError, UpgradeRequest
from monitor.taps.websocket.limits import BURST_S, PeerBudget
from monitor.taps.websocket.signatures import fonoster_signature, twilio_signature
from monitor.taps.websocket.twilio_media_streams import open_stream

TLS = {"certificate": "c.pem", "key": "k.pem"}
LOOPBACK, NETWORK = ["127.0.0.1", "::1", "localhost"], ["0.0.0.0"]


def taps(**settings: Any) -> TapsSection:
    return TapsSection.model_validate({"websocket": settings})


def refusal(name: str, request: UpgradeRequest, config: TapsSection) -> RefusedRequestError | None:
    """What check_peer() or the handler of the protocol say."""
    try:
        check_peer(name, request, config)
        if name in ("twilio", "fonoster"):
            open_stream(request, config)
    except RefusedRequestError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("settings", "hosts"),
    [
        ({}, LOOPBACK),
        ({**TLS, "token": "s"}, NETWORK),
        ({**TLS, "basic": "user:password"}, NETWORK),
        ({**TLS, "twilio_auth_token": "s", "protocols": ["twilio"]}, NETWORK),
        ({**TLS, "twilio_auth_token": "s", "fonoster_secret": "t", "protocols": ["fonoster", "twilio"]}, NETWORK),
        ({"public_url": "wss://calls.example.com", "token": "s"}, LOOPBACK),
    ],
)
def test_what_may_listen(settings: dict[str, Any], hosts: list[str]) -> None:
    check_secured(taps(**settings), hosts, insecure=False)


@pytest.mark.parametrize(
    ("settings", "hosts", "says"),
    [
        ({}, NETWORK, "taps.websocket.certificate"),
        ({"token": "s"}, NETWORK, "taps.websocket.certificate"),
        (TLS, NETWORK, "taps.websocket.token"),
        ({**TLS, "twilio_auth_token": "s"}, NETWORK, "telnyx, plivo"),
        ({**TLS, "twilio_auth_token": "s", "protocols": ["twilio", "vonage"]}, NETWORK, "for vonage"),
        ({"public_url": "wss://calls.example.com"}, LOOPBACK, "taps.websocket.token"),
    ],
)
def test_what_nothing_protects_is_refused_unless_the_user_insists(
    settings: dict[str, Any], hosts: list[str], says: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        check_secured(taps(**settings), hosts, insecure=False)
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert "--insecure" in caught.value.hint
    check_secured(taps(**settings), hosts, insecure=True)


def test_a_protocol_that_does_not_exist_is_one_error() -> None:
    with pytest.raises(BadInputError, match="there is no 'twillio'"):
        served(WebsocketSection(protocols=["twillio"]))


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("certificate", "c.pem", "certificate and key go together"),
        ("basic", "nobody", "basic is user:password"),
        ("public_url", "calls.example.com", "public_url begins with wss://"),
        ("max_ahead_s", 0, "greater than 0"),
    ],
)
def test_settings_that_make_no_sense(key: str, value: object, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {}, [("--set", f"taps.websocket.{key}", value)])
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("origin", "taken"),
    [
        (None, True),
        ("http://127.0.0.1", True),
        ("127.0.0.1:8765", True),
        ("https://calls.example.com", True),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_no_web_page_of_another_site_may_dial(origin: str | None, taken: bool) -> None:
    headers = {"host": "127.0.0.1:8765", **({} if origin is None else {"origin": origin})}
    request = UpgradeRequest("/telnyx", headers, "wss://calls.example.com/telnyx")
    if taken:
        check_origin(request, ["calls.example.com"])
        return
    with pytest.raises(RefusedRequestError, match="dialled by a web page"):
        check_origin(request, ["calls.example.com"])


def test_a_name_that_was_made_to_lead_here_opens_no_tap() -> None:
    """DNS rebinding: Origin and Host are the attacker's name, and equal."""
    headers = {"host": "evil.example:8765", "origin": "http://evil.example:8765"}
    request = UpgradeRequest("/pcm", headers, "ws://evil.example:8765/pcm")
    with pytest.raises(RefusedRequestError, match=r"not in web\.hosts"):
        check_origin(request)
    check_origin(request, ["evil.example"])
    check_origin(UpgradeRequest("/pcm", {"host": "[::1]:8765", "origin": "http://[::1]:8765"}, "ws://[::1]:8765/pcm"))
    section = WebsocketSection(public_url="wss://calls.example.com/taps")
    assert allowed_names(section, ["monitor.example"]) == ("monitor.example", "calls.example.com")


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "request_",
    [
        UpgradeRequest("/telnyx", {"authorization": "Bearer s3cret"}),
        UpgradeRequest("/telnyx", {"authorization": basic("user:pass:word")}),
        UpgradeRequest("/telnyx", {"x-telnyx-streaming-auth-token": "s3cret"}),
        UpgradeRequest("/telnyx?token=s3cret"),
        UpgradeRequest("/telnyx/s3cret"),
        UpgradeRequest("/telnyx/s3cret?tracks=both"),
    ],
)
def test_a_peer_shows_its_secret_in_the_way_that_its_vendor_has(request_: UpgradeRequest) -> None:
    assert refusal("telnyx", request_, taps(token="s3cret", basic="user:pass:word")) is None


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (UpgradeRequest("/telnyx"), "no token"),
        (UpgradeRequest("/telnyx", {"authorization": "Bearer wrong"}), "wrong token"),
        (UpgradeRequest("/telnyx", {"authorization": "s3cret"}), "wrong token"),
        (UpgradeRequest("/telnyx", {"authorization": basic("user:wrong")}), "wrong token"),
        (UpgradeRequest("/telnyx", {"authorization": "Basic \xff"}), "wrong token"),
        (UpgradeRequest("/telnyx/S3CRET"), "wrong token"),
        (UpgradeRequest("/telnyx?token="), "no token"),
        (UpgradeRequest("/telnyx/a/s3cret"), "wrong token"),
    ],
)
def test_a_peer_without_the_secret(request_: UpgradeRequest, says: str) -> None:
    error = refusal("telnyx", request_, taps(token="s3cret", basic="user:password"))
    assert error is not None
    assert error.status == 401
    assert says in error.reason
    assert "s3cret" not in error.reason


def test_without_a_secret_everybody_is_let_in() -> None:
    assert refusal("telnyx", UpgradeRequest("/telnyx"), taps()) is None


def test_the_signature_of_the_example_in_the_documentation_of_twilio() -> None:
    """twilio.com/docs/usage/security: a webhook with parameters, token 12345."""
    parameters = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twilio_signature(url, "12345", parameters) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


SIGNED = "wss://calls.example.com/twilio"


@pytest.mark.parametrize(
    ("signed", "url", "right"),
    [
        (SIGNED, SIGNED, True),
        (f"{SIGNED}/", SIGNED, True),
        ("wss://calls.example.com:443/twilio", SIGNED, True),
        (SIGNED, "wss://calls.example.com:443/twilio", True),
        (SIGNED, "wss://calls.example.com:8443/twilio", True),
        ("https://calls.example.com/twilio", SIGNED, False),
        ("wss://calls.example.com/other", SIGNED, False),
        ("wss://other.example.com/twilio", SIGNED, False),
    ],
)
def test_the_signature_of_twilio_is_over_the_url_that_it_dialled(signed: str, url: str, right: bool) -> None:
    headers = {"x-twilio-signature": twilio_signature(signed, "token")}
    error = refusal("twilio", UpgradeRequest("/twilio", headers, url), taps(twilio_auth_token="token"))
    assert (error is None) == right
    if error is not None:
        assert (error.status, error.reason) == (403, "wrong X-Twilio-Signature")


@pytest.mark.parametrize("shown", ["", "x", "\xff\xfe", twilio_signature(SIGNED, "another token")])
def test_a_signature_that_is_missing_or_of_another_account(shown: str) -> None:
    headers = {"x-twilio-signature": shown} if shown else {}
    error = refusal(
        "twilio", UpgradeRequest("/twilio", headers, SIGNED), taps(twilio_auth_token="token", token="general")
    )
    assert error is not None
    assert error.reason == ("wrong X-Twilio-Signature" if shown else "no X-Twilio-Signature")


def test_what_a_peer_dialled_is_the_proxy_where_there_is_one() -> None:
    assert dialled(WebsocketSection(), "/twilio?a=1", "127.0.0.1:8765") == "ws://127.0.0.1:8765/twilio?a=1"
    assert dialled(WebsocketSection(**TLS), "/twilio", "calls.example.com") == SIGNED
    proxied = WebsocketSection(public_url="wss://calls.example.com/")
    assert dialled(proxied, "/twilio", "127.0.0.1:8765") == SIGNED


@pytest.mark.parametrize(
    ("at", "url", "secret", "reason"),
    [
        ("1000", "wss://a/fonoster", "key", ""),
        ("1000", "wss://b/fonoster", "key", "wrong x-fonoster-signature"),
        ("1000", "wss://a/fonoster", "other", "wrong x-fonoster-signature"),
        ("600", "wss://a/fonoster", "key", "x-fonoster-signature is too old"),
        ("1400", "wss://a/fonoster", "key", "x-fonoster-signature is too old"),
        ("", "wss://a/fonoster", "key", "x-fonoster-signature is too old"),
        ("9" * 40, "wss://a/fonoster", "key", "x-fonoster-signature is too old"),
    ],
)
def test_the_signature_of_fonoster_grows_old(at: str, url: str, secret: str, reason: str) -> None:
    headers = {"x-fonoster-signature": fonoster_signature(url, secret, at), "x-fonoster-timestamp": at}
    request = UpgradeRequest("/fonoster", headers, "wss://a/fonoster", time=1000.0)
    error = refusal("fonoster", request, taps(fonoster_secret="key"))
    assert (error.reason if error else "") == reason


def test_fonoster_without_a_signature() -> None:
    error = refusal("fonoster", UpgradeRequest("/fonoster"), taps(fonoster_secret="key"))
    assert error is not None
    assert error.reason == "no x-fonoster-signature"


def test_secrets_are_not_shown() -> None:
    config = taps(token="s3cret", basic="user:s3cret", twilio_auth_token="s3cret", fonoster_secret="s3cret")
    assert "s3cret" not in repr(config)
    assert "s3cret" not in str(list(config.settings()))


def test_secrets_stay_out_of_what_the_program_writes(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("config",), ("config", "--json")):
        ran = run_here(capsys, *words, *settings("taps.websocket.token=s3cret"))
        assert ran.status == 0
        assert "taps.websocket.token" in ran.out
        assert "s3cret" not in ran.out
    ran = run_here(capsys, "config", *settings("taps.websocket.basic=s73737"))
    assert_one_error(ran, "taps.websocket")
    assert "73737" not in ran.err


def test_a_secret_that_is_not_where_it_should_be_is_one_error(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("serve", "--no-publish", "--websocket", "127.0.0.1:0", *settings("taps.websocket.token=file:/none"))
    ran = run_here(capsys, *words)
    assert_one_error(ran, "cannot read the secret in /none")


LIMITS = WebsocketSection(max_messages_per_s=50, max_bytes_per_s=10_000, max_ahead_s=2.0)


def test_a_steady_peer_may_go_on_for_ever_and_one_that_stood_still_may_catch_up() -> None:
    meter = PeerBudget(LIMITS, 0.0)
    for n in range(20_000):
        meter.message(200, n * 0.02)
    for _ in range(400):
        meter.message(200, 410.0)


def test_too_many_messages_and_too_many_bytes_are_refused() -> None:
    meter = PeerBudget(LIMITS, 0.0)
    for _ in range(round(50 * BURST_S)):
        meter.message(1, 0.0)
    with pytest.raises(BadMessageError, match="max_messages_per_s"):
        meter.message(1, 0.0)
    with pytest.raises(BadMessageError, match="max_bytes_per_s"):
        PeerBudget(LIMITS, 0.0).message(round(10_000 * BURST_S) + 1, 0.0)


def test_audio_may_run_a_little_ahead_of_the_clock() -> None:
    meter = PeerBudget(LIMITS, 100.0)
    meter.audio(2.0, 100.0)
    meter.audio(12.0, 110.0)
    with pytest.raises(BadMessageError, match="max_ahead_s"):
        meter.audio(12.1, 110.0)


@pytest.mark.parametrize(
    ("text", "safe"),
    [("a\x1b[2Jb", "a?[2Jb"), (7, "7"), (True, "-"), (None, "-"), (["a"], "-"), ("", "-"), (1.5, "-")],
)
def test_names(text: object, safe: str) -> None:
    assert named(text, "-") == safe


def test_names_are_short() -> None:
    assert len(named("x" * 1000)) == 128
    assert named(10**5000, "-") == "-"
