"""Encrypted calls in captures: named, and decrypted where their descriptions have the keys."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from capture_calls import Sent, flow, heard, in_time, only, two_way
from captured import A, B, answer, capture, invite

from monitor.errors import BadInputError
from monitor.sources.capture_file import CaptureFile


def srtp(sent: Sent, tag: int = 10) -> Sent:
    rng = np.random.default_rng(1)
    return [(at, a, b, data[:12] + rng.bytes(len(data) - 12 + tag)) for at, a, b, data in sent]


def test_encrypted_audio_is_named_by_its_look(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"encrypted \(SRTP\)") as caught:
        CaptureFile(capture(tmp_path / "a.pcap", srtp(two_way())))
    assert "without its keys" in caught.value.hint


def test_keys_agreed_by_dtls_mean_encrypted(tmp_path: Path) -> None:
    hello = (0.0, A, B, b"\x16\xfe\xff" + bytes(60))
    with pytest.raises(BadInputError, match=r"encrypted \(SRTP\)"):
        CaptureFile(capture(tmp_path / "a.pcap", [hello, *flow(A, B, 0.1, kind=8)]))


SUITES = {"AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30, "AEAD_AES_256_GCM": 44}


def encrypted(sent: Sent, suite: str, key: bytes) -> Sent:
    from pylibsrtp import Policy, Session

    profile = {"80": "AES128_CM_SHA1_80", "32": "AES128_CM_SHA1_32", "CM": "AEAD_AES_256_GCM"}[suite[-2:]]
    policy = Policy(
        key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=getattr(Policy, f"SRTP_PROFILE_{profile}")
    )
    session = Session(policy)
    return [(at, a, b, bytes(session.protect(data))) for at, a, b, data in sent]


def with_key(message: bytes, suite: str, key: bytes) -> bytes:
    other = "a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA\r\n"
    return message + f"{other}a=crypto:2 {suite} inline:{base64.b64encode(key).decode()}|2^20|1:4\r\n".encode()


@pytest.mark.parametrize("profile", ["RTP/SAVP", "RTP/AVP"])
@pytest.mark.parametrize("suite", SUITES)
def test_audio_is_decrypted_with_the_keys_of_its_descriptions(tmp_path: Path, suite: str, profile: str) -> None:
    pytest.importorskip("pylibsrtp")
    keys = [bytes([i]) * SUITES[suite] for i in (1, 2)]
    result: Sent = [
        (0.0, A, B, with_key(invite(A, B, proto=profile), suite, keys[0])),
        (0.1, B, A, with_key(answer(B), suite, keys[1])),
    ]
    talk = [*encrypted(flow(A, B, 0.2), suite, keys[0]), *encrypted(flow(B, A, 0.2, ssrc=2), suite, keys[1])]
    path = capture(tmp_path / "a.pcap", in_time(result + talk))
    audio, conditions = heard(only(path))
    assert not conditions
    plain = [(0.0, A, B, invite(A, B)), (0.1, B, A, answer(B)), *flow(A, B, 0.2), *flow(B, A, 0.2, ssrc=2)]
    assert np.array_equal(audio, heard(only(capture(tmp_path / "plain.pcap", in_time(plain))))[0])


def test_keys_that_do_not_fit_leave_it_encrypted(tmp_path: Path) -> None:
    suite = "AES_CM_128_HMAC_SHA1_80"
    result: Sent = [
        (0.0, A, B, with_key(invite(A, B, proto="RTP/SAVP"), suite, bytes(30))),
        (0.1, B, A, with_key(answer(B), suite, bytes(30))),
    ]
    with pytest.raises(BadInputError, match=r"encrypted \(SRTP\)"):
        CaptureFile(
            capture(tmp_path / "a.pcap", in_time([*result, *srtp(flow(A, B, 0.2)), *srtp(flow(B, A, 0.2, ssrc=2))]))
        )
