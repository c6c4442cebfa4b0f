"""Signatures of AudioHook requests, against the published vectors, and everything that is refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.taps import TapsSection
from monitor.taps.audiohook.admission import prepare
from monitor.taps.audiohook.fields import FieldError, InnerList, Item, Token, parse_dictionary, serialize
from monitor.taps.audiohook.signature import (
    COVERED,
    OLDEST_S,
    SKEW_S,
    Nonces,
    SignatureError,
    SignatureVerifier,
    SignedSender,
    sign,
    signature_base,
    signed_headers,
)
from monitor.taps.websocket.handler import RefusedRequestError, UpgradeRequest

KEY, SECRET = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh", base64.b64decode("TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU=")
TARGET = "/api/v1/voicebiometrics/ws"
NONCE = "VGhpc0lzQVVuaXF1ZU5vbmNl"
CREATED = 1641013200
IDENTITY = {
    "host": "audiohook.example.com",
    "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
    "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
    "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
    "x-api-key": KEY,
}
DOCUMENTED = {
    **IDENTITY,
    "signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:",
    "signature-input": (
        'sig1=("@request-target" "@authority" "audiohook-organization-id" "audiohook-session-id" '
        f'"audiohook-correlation-id" "x-api-key");keyid="{KEY}";nonce="{NONCE}";alg="hmac-sha256";'
        "created=1641013200;expires=3282026430"
    ),
}
"""The example of the protocol's documentation; a test of the reference implementation, too."""


def verify(headers: dict[str, str], now: float = CREATED + 1.0, target: str = TARGET) -> SignedSender:
    return SignatureVerifier({KEY: SECRET}).verify(target, headers, now)


def signed(key: str = KEY, secret: bytes = SECRET, nonce: str = NONCE, created: int = CREATED) -> dict[str, str]:
    return IDENTITY | signed_headers(key, secret, TARGET, IDENTITY, nonce, created)


def resigned(signature_input: str) -> dict[str, str]:
    """Those of another input, which the right secret signs."""
    inner = parse_dictionary(signature_input)["sig1"]
    assert isinstance(inner, InnerList)
    signature = base64.b64encode(sign(SECRET, signature_base(inner, TARGET, IDENTITY))).decode()
    return IDENTITY | {"signature-input": signature_input, "signature": f"sig1=:{signature}:"}


def test_the_example_of_the_documentation() -> None:
    assert verify(DOCUMENTED) == SignedSender(
        IDENTITY["audiohook-organization-id"],
        IDENTITY["audiohook-session-id"],
        IDENTITY["audiohook-correlation-id"],
    )


def test_what_a_client_signs_is_what_the_reference_implementation_signs() -> None:
    """Its signature builder, whose lifetime in that test is the whole of 1641013230 s; and it names the host."""
    components = tuple(Item(name.replace("@authority", "host")) for name in COVERED)
    parameters = (("keyid", KEY), ("nonce", NONCE), ("alg", "hmac-sha256"), ("created", CREATED))
    inner = InnerList(components, (*parameters, ("expires", CREATED + 1641013230)))
    base = signature_base(inner, TARGET, IDENTITY)
    assert base64.b64encode(sign(SECRET, base)) == b"zupMJUMfd/kMuvKc5zhRyfJPE3jTROuz1S1hn8SCTpE="
    ours = signed_headers(KEY, SECRET, TARGET, IDENTITY, NONCE, CREATED, lifetime_s=1641013230)
    assert ours == {name: DOCUMENTED[name] for name in ("signature", "signature-input")}


def test_the_vector_of_rfc_9421() -> None:
    """Appendix B.2.5: HMAC with SHA-256."""
    secret = base64.b64decode(
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
    )
    headers = {"date": "Tue, 20 Apr 2021 02:07:55 GMT", "content-type": "application/json", "host": "example.com"}
    text = 'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
    inner = parse_dictionary(text)["sig-b25"]
    assert isinstance(inner, InnerList)
    assert f"sig-b25={serialize(inner)}" == text
    base = signature_base(inner, "/", headers)
    assert base64.b64encode(sign(secret, base)) == b"pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="


@pytest.mark.parametrize("name", [*IDENTITY, "signature", "signature-input"])
def test_a_header_that_is_missing_or_another_is_refused(name: str) -> None:
    with pytest.raises(SignatureError, match="no " + name.replace("host", "@authority")):
        verify({n: value for n, value in signed().items() if n != name})
    with pytest.raises(SignatureError):
        verify(signed() | {name: signed()[name] + "x"})


@pytest.mark.parametrize("name", COVERED)
def test_what_is_not_covered_is_refused(name: str) -> None:
    with pytest.raises(SignatureError, match=f"does not cover {name}"):
        verify(resigned(DOCUMENTED["signature-input"].replace(f'"{name}"', "").replace("  ", " ")))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((f';nonce="{NONCE}"', ""), "without a nonce"),
        ((NONCE, NONCE[:21]), "without a nonce"),
        ((NONCE, "x" * 257), "without a nonce"),
        ((f';keyid="{KEY}"', ""), "keyid"),
        ((";created=1641013200", ""), "when it was made"),
        (("created=1641013200", 'created="now"'), "make no sense"),
        (("created=1641013200", "created=?1"), "make no sense"),
        (("hmac-sha256", "rsa-pss-sha512"), "another kind"),
        (('"x-api-key"', '"x-api-key";sf'), "make no sense"),
        (('"x-api-key"', '"x-api-key" "x-api-key"'), "make no sense"),
        (('"x-api-key"', '"x-api-key" token'), "make no sense"),
    ],
)
def test_inputs_that_make_no_sense_are_refused(change: tuple[str, str], says: str) -> None:
    changed = DOCUMENTED["signature-input"].replace(*change)
    try:
        headers = resigned(changed)
    except SignatureError:
        headers = DOCUMENTED | {"signature-input": changed}
    with pytest.raises(SignatureError, match=says):
        verify(headers)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("signature-input", "sig1=("),
        ("signature-input", "sig1=1"),
        (
            "signature-input",
            f"{DOCUMENTED['signature-input']}, {DOCUMENTED['signature-input'].replace('sig1', 'sig2')}",
        ),
        ("signature", "sig2=:AAAA:"),
        ("signature", 'sig1="text"'),
        ("signature", "sig1=:A:"),
        ("signature", "sig1=::"),
    ],
)
def test_fields_that_are_no_signature_are_refused(name: str, value: str) -> None:
    with pytest.raises(SignatureError):
        verify(DOCUMENTED | {name: value})


@pytest.mark.parametrize(
    ("age_s", "good"),
    [(0, True), (OLDEST_S, True), (OLDEST_S + 1, False), (-SKEW_S, True), (-SKEW_S - 1, False), (3600, False)],
)
def test_a_signature_is_good_for_ten_seconds(age_s: int, good: bool) -> None:
    headers = signed()
    if good:
        assert verify(headers, CREATED + age_s)
    else:
        with pytest.raises(SignatureError, match="too old" if age_s > 0 else "from the future"):
            verify(headers, CREATED + age_s)


def test_a_signature_that_has_expired_before_is_refused() -> None:
    with pytest.raises(SignatureError, match="too old"):
        verify(resigned(DOCUMENTED["signature-input"].replace("3282026430", "1641013202")), CREATED + 3.0)


def test_another_secret_and_a_key_that_nobody_knows_are_refused() -> None:
    with pytest.raises(SignatureError, match="another secret"):
        verify(signed(secret=SECRET[::-1]))
    with pytest.raises(SignatureError, match="does not name"):
        SignatureVerifier({}).verify(TARGET, signed(), CREATED)
    with pytest.raises(SignatureError, match="another secret, or of another request"):
        verify(signed(), target="/elsewhere")


def test_a_request_is_good_once() -> None:
    verifier = SignatureVerifier({KEY: SECRET})
    assert verifier.verify(TARGET, signed(), CREATED)
    for later in (0.0, 5.0, float(OLDEST_S)):
        with pytest.raises(SignatureError, match="used before"):
            verifier.verify(TARGET, signed(), CREATED + later)
    with pytest.raises(SignatureError, match="too old"):
        verifier.verify(TARGET, signed(), CREATED + OLDEST_S + 0.1)
    assert verifier.verify(TARGET, signed(nonce=NONCE[::-1]), CREATED)


def test_a_nonce_that_was_sent_under_a_wrong_secret_is_not_spent() -> None:
    verifier = SignatureVerifier({KEY: SECRET})
    with pytest.raises(SignatureError, match="another secret"):
        verifier.verify(TARGET, signed(secret=b"wrong"), CREATED)
    assert verifier.verify(TARGET, signed(), CREATED)


def test_nonces_are_forgotten_when_they_are_of_no_use_and_never_too_many() -> None:
    nonces = Nonces(most=3)
    for i in range(3):
        nonces.spend("key", str(i), now=float(i))
    with pytest.raises(SignatureError, match="more signatures at once"):
        nonces.spend("key", "3", now=3.0)
    nonces.spend("key", "3", now=OLDEST_S + SKEW_S + 0.5)
    assert len(nonces) == 3
    with pytest.raises(SignatureError, match="used before"):
        nonces.spend("key", "1", now=OLDEST_S + SKEW_S + 0.5)


def test_a_proxy_may_change_the_host_and_the_path() -> None:
    """What taps.websocket.public_url says is what the client signed."""
    audiohook = {"keys": {KEY: base64.b64encode(SECRET).decode()}}
    config = TapsSection.model_validate(
        {"audiohook": audiohook, "websocket": {"public_url": "wss://audiohook.example.com/api/v1/"}}
    )
    make = prepare(config)
    inside = signed() | {"host": "10.0.0.1:8765"}
    assert make(UpgradeRequest("/voicebiometrics/ws", inside, time=CREATED), config)
    with pytest.raises(RefusedRequestError, match="used before") as refused:
        make(UpgradeRequest("/voicebiometrics/ws", inside, time=CREATED), config)
    assert (refused.value.status, refused.value.answer) == (401, "unauthorized")
    with pytest.raises(RefusedRequestError, match="of another request"):
        prepare(TapsSection.model_validate({"audiohook": audiohook}))(
            UpgradeRequest(TARGET, inside, time=CREATED), config
        )


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("", {}),
        ("a=1, b=-15", {"a": Item(1), "b": Item(-15)}),
        ("a, b;x=?0", {"a": Item(True), "b": Item(True, (("x", False),))}),
        (r'a="q \" \\ z";p=tok/en', {"a": Item('q " \\ z', (("p", Token("tok/en")),))}),
        ("a=:aGk=:, b=:aGk:", {"a": Item(b"hi"), "b": Item(b"hi")}),
        ("a=( 1  )", {"a": InnerList((Item(1),))}),
        ('a=("x";k "y");z', {"a": InnerList((Item("x", (("k", True),)), Item("y")), (("z", True),))}),
        ("a=1 ,\tb=2 ", {"a": Item(1), "b": Item(2)}),
        ("a=1;p=1;q;p=2", {"a": Item(1, (("p", 2), ("q", True)))}),
    ],
)
def test_structured_fields_are_read(text: str, members: dict[str, object]) -> None:
    assert parse_dictionary(text) == members


WRONG_FIELDS = (
    *(",", "a=1,", "A=1", "a=", "a=1.5", "a=1234567890123456", "a=1 b=2", "a=-", "a=²", "a=1;", "a=é", "a=?2"),
    *('a="x', 'a="\x7f"', 'a="\\x"', "a=:x:", "a=:x y=:", "a=(1", "a=(1,2)", 'a=("x""y")', "a=" + "(" * 9000),
)


@pytest.mark.parametrize("text", WRONG_FIELDS)
def test_fields_that_are_wrong_are_refused(text: str) -> None:
    with pytest.raises(FieldError):
        parse_dictionary(text)


FIELD = st.text(alphabet='ab1=,;()"\\:?-* \t/.é\ud800', max_size=60)


@given(FIELD | st.text(max_size=60))
def test_any_text_is_a_field_or_an_error_and_what_is_written_is_read(text: str) -> None:
    try:
        members = parse_dictionary(text)
    except FieldError:
        return
    for key, member in members.items():
        assert parse_dictionary(f"{key}={serialize(member)}") == {key: member}


@given(st.dictionaries(st.sampled_from(sorted(DOCUMENTED)), FIELD | st.text(max_size=60)), st.floats())
def test_any_request_is_refused_in_words(changes: dict[str, str], now: float) -> None:
    wrong = DOCUMENTED | changes | {"audiohook-session-id": changes.get("audiohook-session-id", "")}
    with pytest.raises(SignatureError):
        verify(wrong, now)
