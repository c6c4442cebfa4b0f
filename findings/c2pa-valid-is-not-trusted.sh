#!/bin/sh
# c2pa-python: a file signed by a stranger is "Valid" and has a failure; a trust list that cannot be read is no error.
#
# One would guess that "Valid" means that the signer is known, or else that an entry in validation_status means that the
# file is not as it was signed. Neither holds. The state is Trusted, Valid or Invalid: Valid is an intact file of
# anybody, whatever name he wrote into a certificate of his own, and it lists signingCredential.untrusted as a failure;
# an altered file lists that too, before what is wrong with it. So compare with "Trusted", and leave that code out of the
# reasons for "Invalid". And trust.trust_anchors takes text in PEM armour whose content is no certificate without a
# word, so that a damaged list looks like a signer who is not in it: parse the list yourself first.
#
# Seen with c2pa-python 0.38.1 (c2pa-rs 0.91.3):
#   signed by a stranger: Valid ['signingCredential.untrusted']
#   one sample altered: Invalid ['signingCredential.untrusted', 'assertion.dataHash.mismatch']
#   with his authority in the list: Trusted []
#   with a list that is no certificate: Valid ['signingCredential.untrusted']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" c2pa-python==0.38.1 cryptography==50.0.2
"$folder/env/bin/python" - <<'EOF'
import io
import json
import struct
from datetime import datetime, timedelta, timezone

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM
USES = ("digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only").split()
authority, signer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def certificate(name: str, key: ec.EllipticCurvePrivateKey, use: str) -> bytes:
    now, ca = datetime.now(timezone.utc), use == "key_cert_sign"
    subject, issuer = (x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, n)]) for n in (name, "Authority"))
    made = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))
    made = made.add_extension(x509.BasicConstraints(ca, None), True)
    made = made.add_extension(x509.KeyUsage(**{**dict.fromkeys(USES, False), use: True}), True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False)
    if not ca:
        made = made.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    return made.sign(authority, hashes.SHA256()).public_bytes(PEM)


def read(data: bytes, anchors: str = "") -> tuple[str, list[str]]:
    settings = {"verify": {"remote_manifest_fetch": False}} | ({"trust": {"trust_anchors": anchors}} if anchors else {})
    found = json.loads(c2pa.Reader("audio/wav", io.BytesIO(data), context=c2pa.Context.from_dict(settings)).json())
    return found["validation_state"], [fault["code"] for fault in found.get("validation_status") or []]


anchor = certificate("Authority", authority, "key_cert_sign")
private = signer.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
chain = certificate("A bank that you know", signer, "digital_signature") + anchor
sound = bytes(range(256)) * 64
head = b"RIFF" + struct.pack("<I4s4sIHHIIHH4sI", 36 + len(sound), b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data",
                             len(sound))
action = {"action": "c2pa.created", "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"}
claim = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}]}
out = io.BytesIO()
with_key = c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", chain, private, None))
c2pa.Builder(json.dumps(claim)).sign(with_key, "audio/wav", io.BytesIO(head + sound), out)
intact = out.getvalue()
altered = bytearray(intact)
altered[5000] ^= 1
broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
seen = {
    "signed by a stranger": read(intact),
    "one sample altered": read(bytes(altered)),
    "with his authority in the list": read(intact, anchor.decode()),
    "with a list that is no certificate": read(intact, broken),
}
for name, (state, codes) in seen.items():
    print(f"{name}: {state} {codes}")
untrusted = "signingCredential.untrusted"
assert list(seen.values()) == [
    ("Valid", [untrusted]),
    ("Invalid", [untrusted, "assertion.dataHash.mismatch"]),
    ("Trusted", []),
    ("Valid", [untrusted]),
]
EOF
