"""Content credentials that tests sign, with a certificate of an authority that they make themselves."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
USES = dict.fromkeys(
    (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    ),
    False,
)


class Authority:
    """An authority, and a signer whom it has certified."""

    def __init__(self, signer: str = "Voice Works") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = _certificate("Test Authority", "Test Authority", self._key, self._key)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        own = own.add_extension(x509.KeyUsage(**{**USES, "key_cert_sign": True}), critical=True)
        self.pem = _pem(own.sign(self._key, hashes.SHA256()))
        key = ec.generate_private_key(ec.SECP256R1())
        # What C2PA asks of a signer: no authority, digital signatures, and one of its extended uses.
        leaf = _certificate(signer, "Test Authority", key, self._key)
        leaf = leaf.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        leaf = leaf.add_extension(x509.KeyUsage(**{**USES, "digital_signature": True}), critical=True)
        leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = _pem(leaf.sign(self._key, hashes.SHA256())) + self.pem
        self._signer = c2pa.C2paSignerInfo("es256", chain.encode(), private, None)

    def sign(
        self,
        path: Path,
        *,
        source_type: str = TRAINED,
        generator: str = "Talker",
        intent: object = None,
        link: str = "",
    ) -> Path:
        """Sign a file in its place. intent: such as EDIT, to sign what was signed before once more."""
        action = {"action": "c2pa.created", "digitalSourceType": source_type, "when": "2026-08-02T10:00:00Z"}
        actions = [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}] if intent is None else []
        claim = {"claim_generator_info": [{"name": generator, "version": "2.1"}], "assertions": actions}
        builder, out = c2pa.Builder(json.dumps(claim)), io.BytesIO()
        if intent is not None:
            builder.set_intent(intent)
        if link:
            builder.set_no_embed()
            builder.set_remote_url(link)
        kind = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".m4a": "audio/mp4"}[path.suffix]
        builder.sign(c2pa.Signer.from_info(self._signer), kind, io.BytesIO(path.read_bytes()), out)
        path.write_bytes(out.getvalue())
        return path


@cache
def authority() -> Authority:
    """One for all tests of a run."""
    return Authority()


def _certificate(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, signs: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(_name(issuer), _name(subject), key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signs.public_key()), critical=False)
    )


def _name(organisation: str) -> x509.Name:
    names = ((NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, organisation))
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in names])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
