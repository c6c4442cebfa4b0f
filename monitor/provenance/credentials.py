"""Content credentials (C2PA) of a recording: what is declared of its origin, by whom, and whether the signature holds.

Nothing is fetched: neither credentials that lie elsewhere nor lists of revoked certificates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from monitor.errors import ConfigError
from monitor.taps.peer_names import named
from monitor.types import Mark

STORE = b"jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x008\x9bq"
"""Type and UUID of the first box of a manifest store (C2PA 2.2, section 11.1), the same in every kind of file."""
LINK = b"dcterms:provenance"
"""The XMP property that holds the address of credentials that lie elsewhere (C2PA 2.2, section 11.5)."""
INSTALL = 'pip install "deepfake-speech-monitor[provenance]"'
MOST_SOURCE_TYPES = 8

_BLOCK = 1 << 20
_WORDS = {
    "trainedAlgorithmicMedia": "made by a trained model",
    "compositeWithTrainedAlgorithmicMedia": "made in part by a trained model",
    "algorithmicMedia": "made by an algorithm",
    "digitalCapture": "recorded",
}
"""Digital source types of IPTC (cv.iptc.org/newscodes/digitalsourcetype) that speech has."""
_SOURCE_TYPE = re.compile(r"[A-Za-z0-9]+$")
"""The term at the end of its address."""
_FAULTS = {
    "assertion.dataHash.mismatch": "the file was changed after it was signed",
    "assertion.bmffHash.mismatch": "the file was changed after it was signed",
    "assertion.hashedURI.mismatch": "a statement was changed after it was signed",
    "claimSignature.mismatch": "the signature is not that of these statements",
    "claimSignature.outsideValidity": "the certificate was not valid at that time",
    "signingCredential.expired": "the certificate has expired",
    "signingCredential.invalid": "the certificate may not sign content",
    "signingCredential.revoked": "the certificate was revoked",
}
_UNTRUSTED = "signingCredential.untrusted"


def find(path: Path) -> Literal["embedded", "linked", ""]:
    """Return whether a file holds content credentials, or a link to some. Raises OSError."""
    linked, tail = False, b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            window = tail + block
            if STORE in window:
                return "embedded"
            linked = linked or LINK in window
            tail = window[-len(STORE) :]
    return "linked" if linked else ""


def read_anchors(path: Path) -> str:
    """Return the certificates of a trust list, as PEM. Raises ConfigError."""
    hint = "provenance.trust_anchors names a file of certificates in PEM"
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ConfigError(f"cannot read the trust list {path}: {reason}", hint) from error
    if find_spec("cryptography") is not None:  # c2pa ignores a certificate that it cannot read
        from cryptography.x509 import load_pem_x509_certificates

        try:
            load_pem_x509_certificates(text.encode())
        except ValueError as error:
            raise ConfigError(f"the trust list {path} holds no certificates that can be read", hint) from error
    return text


def read_credentials(path: Path, anchors: str = "") -> Mark:
    """Return what the credentials in a file say. anchors: PEM of the certificates that are trusted, "" = no trust list.

    Credentials that cannot be read, or not without the extra, are a mark whose `valid` is None, with the reason.
    """
    try:
        import c2pa
    except ImportError:
        return _unreadable(f"{INSTALL} to read them")
    settings: dict[str, Any] = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
    if anchors:
        settings["trust"] = {"trust_anchors": anchors}
    try:
        with (
            path.open("rb") as file,
            c2pa.Context.from_dict(settings) as context,
            c2pa.Reader(None, file, context=context) as reader,
        ):
            store = json.loads(reader.json())
    except (c2pa.C2paError, OSError, ValueError, RecursionError) as error:
        return _unreadable(f"they cannot be read, so that the signature cannot be checked: {named(str(error))}")
    return mark_of(store if isinstance(store, dict) else {}, has_list=bool(anchors))


def unfetched() -> Mark:
    """Return the mark of a file that only says where its credentials lie."""
    return _unreadable("they lie elsewhere, and nothing is fetched")


def mark_of(store: Mapping[str, Any], *, has_list: bool) -> Mark:
    """Return the mark of a manifest store, as c2pa gives it as JSON. has_list: it was checked against a trust list."""
    manifests = _mapping(store.get("manifests"))
    label = store.get("active_manifest")
    active = _mapping(manifests.get(label) if isinstance(label, str) else None)
    others = (_mapping(manifest) for name, manifest in manifests.items() if name != label)
    types = dict.fromkeys(kind for manifest in (active, *others) for kind in _source_types(manifest))
    signature = _mapping(active.get("signature_info"))
    time = signature.get("time") or next((a["when"] for a in _actions(active) if a.get("when")), "")
    state = store.get("validation_state")
    valid = {"Trusted": True, "Valid": True, "Invalid": False}.get(state) if isinstance(state, str) else None
    mark = Mark(
        "c2pa",
        generator=_generator(active),
        issuer=named(signature.get("issuer")) or named(signature.get("common_name")),
        time=named(time),
        source_types=tuple(types)[:MOST_SOURCE_TYPES],
        valid=valid,
        trusted=state == "Trusted" if has_list else None,
        reason=_reason(store, valid, state == "Trusted", has_list),
    )
    return mark.described(_detail(mark))


def _unreadable(reason: str) -> Mark:
    return Mark("c2pa", reason=reason).described(f"carries content credentials; {reason}")


def _generator(manifest: Mapping[str, Any]) -> str:
    for info in _mappings(manifest.get("claim_generator_info")):
        return named(f"{named(info.get('name'))} {named(info.get('version'))}".strip())
    return named(manifest.get("claim_generator"))


def _source_types(manifest: Mapping[str, Any]) -> Iterator[str]:
    for action in _actions(manifest):
        kind = action.get("digitalSourceType")
        if isinstance(kind, str) and (found := _SOURCE_TYPE.search(kind)):
            yield named(found[0])


def _actions(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for assertion in _mappings(manifest.get("assertions")):
        if str(assertion.get("label", "")).startswith("c2pa.actions"):
            yield from _mappings(_mapping(assertion.get("data")).get("actions"))


def _reason(store: Mapping[str, Any], valid: bool | None, trusted: bool, has_list: bool) -> str:
    if valid is None:
        return "the signature was not checked"
    if not valid:
        codes = dict.fromkeys(named(fault.get("code")) for fault in _mappings(store.get("validation_status")))
        faults = [_FAULTS.get(code, code) for code in codes if code and code != _UNTRUSTED]
        return f"the signature does not hold: {'; '.join(dict.fromkeys(faults[:3])) or 'no reason was given'}"
    if trusted:
        return "the signature holds, and the signer is in the trust list"
    if has_list:
        return "the signature holds, the signer is not in the trust list"
    return "the signature holds, the signer is in no trust list, for none is set"


def _detail(mark: Mark) -> str:
    """Describe a credential. Names stand last and in quotes: what a stranger wrote must not read as a finding."""
    kinds = ", ".join(f"{kind} ({_WORDS[kind]})" if kind in _WORDS else kind for kind in mark.source_types)
    parts = [mark.reason, f"declares {kinds}" if kinds else "declares no source type"]
    names = (("made with", mark.generator), ("signed by", mark.issuer), ("dated", mark.time))
    parts += [f"{what} '{name.replace(chr(39), '?')}'" for what, name in names if name]
    return f"content credentials: {'; '.join(parts)}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
