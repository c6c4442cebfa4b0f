"""AudioHook: the fields of its signatures, and a session whose envelopes are right and whose contents are not."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fuzz.harness import Harness
from fuzz.streams import plain, talk
from monitor.taps.audiohook.audiohook_messages import NOBODY
from monitor.taps.audiohook.fields import FieldError, parse_dictionary, serialize
from monitor.taps.audiohook.session import AudiohookSession
from monitor.taps.audiohook.signature import COVERED, SignatureError, SignatureVerifier, SignedSender, signed_headers

SECRET = b"0123456789abcdef"
SESSION, ORGANIZATION, CONVERSATION = (f"{n}2345678-9abc-4def-8123-456789abcdef" for n in (1, 2, 3))
NOW = 1_641_013_200
IDENTITY = {"host": "example.com", "x-api-key": "k", **dict.fromkeys(COVERED[2:5], SESSION)}
HEADERS = signed_headers("k", SECRET, "/audiohook", IDENTITY, "0123456789012345678901", NOW)


def _signature(data: bytes) -> None:
    """Return two lines as an input: Signature-Input and Signature."""
    one, _, other = data.decode("latin-1").partition("\n")
    headers = IDENTITY | {"signature-input": one, "signature": other}
    try:
        SignatureVerifier({"k": SECRET}).verify("/audiohook", headers, NOW + 1.0)
    except SignatureError:
        pass
    else:
        assert other.count(":") == 2
    for text in (one, other):
        try:
            members = parse_dictionary(text)
        except FieldError:
            continue
        for key, member in members.items():
            assert parse_dictionary(f"{key}={serialize(member)}") == {key: member}


class _Writer:
    """Puts what stands between braces into the envelope of the next message; any other text is left as it is."""

    def __init__(self) -> None:
        self._seq = 0

    def __call__(self, line: bytes) -> str:
        text = plain(line)
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            return text
        if not isinstance(fields, dict):
            return text
        self._seq += 1
        envelope = {"version": "2", "id": SESSION, "seq": self._seq, "serverseq": 0, "position": "PT0S"}
        return json.dumps({**envelope, "parameters": {}, **fields})


def _session(data: bytes) -> None:
    talk(AudiohookSession(SignedSender(ORGANIZATION, SESSION, "c")), data, _Writer())


OPEN: Mapping[str, object] = {
    "organizationId": ORGANIZATION,
    "conversationId": CONVERSATION,
    "participant": {"id": SESSION, "ani": "+1", "aniName": "n", "dnis": "+2"},
    "media": [{"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000}],
}


def _said(kind: str, parameters: Mapping[str, object] | None = None, position: str = "PT0S") -> bytes:
    return b"t" + json.dumps({"type": kind, "position": position, "parameters": parameters or {}}).encode()


CALL = b"\n".join(
    [
        _said("open", OPEN),
        b"b" + bytes(8),
        _said("ping", {"rtt": "PT0.02S"}, "PT0.0005S"),
        _said("paused"),
        _said("resumed", {"start": "PT0.0005S", "discarded": "PT0.5S"}),
        _said("discarded", {"start": "PT0.5S", "discarded": "PT0.5S"}, "PT1S"),
        _said("update", {"language": "en-US"}),
        _said("error", {"code": 429, "message": "m", "retryAfter": "PT1S"}),
        _said("close", {"reason": "end"}),
    ]
)
WORDS = (
    b'{"type":"',
    b'"parameters":{',
    b'"position":"PT',
    b'"media":[{',
    b'"start":"PT',
    b'"discarded":"PT',
    b'S"}}\n',
)

SIGNATURE = Harness(
    _signature,
    (f"{HEADERS['signature-input']}\n{HEADERS['signature']}".encode(), b'a=1;b=?0;c, d=(1 "x";y)\nz=:aGk=:'),
    (b'("', b'" "', b'");keyid="', b";created=", b"sig1=", b"=:", b"?1"),
)
PROBE = (_said("open", {**OPEN, "conversationId": NOBODY}), _said("ping"))
SESSION_TALK = Harness(_session, (CALL, b"\n".join(PROBE)), WORDS, longest=4096)
