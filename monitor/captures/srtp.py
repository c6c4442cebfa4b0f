"""Encrypted audio whose keys stand in the session descriptions (RFC 3711, RFC 4568), decrypted by libsrtp."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from itertools import islice

from monitor.captures.spool import PacketSpool, StreamLog

TRIED = 20
"""Packets of which one must be decrypted for a key to be the right one."""
_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": ("SRTP_PROFILE_AES128_CM_SHA1_80", 30),
    "AES_CM_128_HMAC_SHA1_32": ("SRTP_PROFILE_AES128_CM_SHA1_32", 30),
    "AEAD_AES_128_GCM": ("SRTP_PROFILE_AEAD_AES_128_GCM", 28),
    "AEAD_AES_256_GCM": ("SRTP_PROFILE_AEAD_AES_256_GCM", 44),
}
"""Name of a suite to its profile in libsrtp, and bytes of key and salt."""


class Decryption:
    """Decrypts the packets of one stream, in their order. line: what follows a=crypto: in a description.

    Raises ValueError for a suite or a key that is not understood, and ImportError without pylibsrtp.
    """

    def __init__(self, line: str) -> None:
        from pylibsrtp import Policy, Session

        words = line.split()
        suite, _, key = words[1] if len(words) > 2 else "", "", words[2] if len(words) > 2 else ""
        if suite not in _PROFILES or not key.startswith("inline:"):
            raise ValueError(f"{suite or line!r} is not understood")
        profile, size = _PROFILES[suite]
        try:
            material = base64.b64decode(key.removeprefix("inline:").partition("|")[0] + "==")
        except binascii.Error as error:
            raise ValueError("the key is not base64") from error
        if len(material) != size:
            raise ValueError(f"a key of {len(material)} bytes")
        policy = Policy(key=material, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=getattr(Policy, profile))
        policy.allow_repeat_tx = True
        self._session = Session(policy)

    def decrypt(self, data: bytes) -> bytes | None:
        """Return the RTP packet in an SRTP packet; None where the key does not fit, or the packet comes twice."""
        from pylibsrtp import Error

        try:
            return bytes(self._session.unprotect(data))
        except Error:
            return None


def fitting_key(log: StreamLog, spool: PacketSpool, lines: Sequence[str], begin: float) -> str:
    """Return the first of the lines whose key decrypts the stream from a time on; "" where none does, or pylibsrtp is
    not installed."""
    for line in lines:
        try:
            decryption = Decryption(line)
        except (ValueError, ImportError):
            continue
        read = ((data, missing) for at, _, _, data, missing in log.read(spool) if at >= begin)
        some = list(islice(read, TRIED))
        if any(decryption.decrypt(data) is not None for data, missing in some if not missing):
            return line
    return ""
