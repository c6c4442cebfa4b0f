"""Content credentials, signed by the tests themselves and read back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("c2pa", reason="the extra provenance is not installed")

import c2pa
from signing import Authority, authority

from monitor.config.provenance import ProvenanceSection
from monitor.errors import ConfigError
from monitor.provenance import credentials
from monitor.provenance.provenance_reader import ProvenanceReader
from monitor.types import Mark

KINDS = ("wav", "mp3", "flac", "m4a")


def recording(path: Path, seconds: float = 1.0) -> Path:
    sound = np.random.default_rng(1).normal(0.0, 0.1, int(16000 * seconds)).astype(np.float32)
    if path.suffix != ".m4a":
        soundfile.write(path, sound, 16000)
        return path
    wav = path.with_suffix(".source.wav")
    soundfile.write(wav, sound, 16000)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", wav, path], check=True)
    return path


def read(path: Path, **settings: str) -> tuple[Mark, ...]:
    return ProvenanceReader(ProvenanceSection(**settings)).read(path)  # type: ignore[arg-type]


def test_a_recording_without_marks_has_none(tmp_path: Path) -> None:
    assert read(recording(tmp_path / "call.wav")) == ()
    assert read(tmp_path / "absent.wav") == ()


@pytest.mark.parametrize("kind", KINDS)
def test_signed_credentials_are_read_back(tmp_path: Path, kind: str) -> None:
    (mark,) = read(authority().sign(recording(tmp_path / f"call.{kind}")))
    assert (mark.kind, mark.generator, mark.issuer) == ("c2pa", "Talker 2.1", "Voice Works")
    assert mark.source_types == ("trainedAlgorithmicMedia",)
    assert mark.time == "2026-08-02T10:00:00Z"
    assert mark.valid is True
    assert mark.trusted is None
    assert mark.reason == "the signature holds, the signer is in no trust list, for none is set"
    assert "trainedAlgorithmicMedia (made by a trained model)" in mark.detail


def test_a_name_of_a_file_says_nothing(tmp_path: Path) -> None:
    signed = authority().sign(recording(tmp_path / "call.mp3"))
    (mark,) = read(signed.rename(tmp_path / "call.wav"))
    assert mark.valid is True


@pytest.mark.parametrize("kind", KINDS)
def test_audio_that_was_changed_is_said(tmp_path: Path, kind: str) -> None:
    path = authority().sign(recording(tmp_path / f"call.{kind}"))
    data = bytearray(path.read_bytes())
    at = data.find(b"data") + 2000 if kind == "wav" else len(data) - 100
    if kind == "m4a":
        at = data.find(b"mdat") + 1000
    data[at] ^= 0x55
    path.write_bytes(data)
    (mark,) = read(path)
    assert mark.valid is False
    assert mark.reason == "the signature does not hold: the file was changed after it was signed"
    assert mark.source_types == ("trainedAlgorithmicMedia",)


def test_a_changed_claim_is_said(tmp_path: Path) -> None:
    path = authority().sign(recording(tmp_path / "call.wav"))
    path.write_bytes(path.read_bytes().replace(b"Talker", b"Walker"))
    (mark,) = read(path)
    assert mark.valid is False
    assert mark.reason == "the signature does not hold: the signature is not that of these statements"


def test_a_trust_list_tells_signers_apart(tmp_path: Path) -> None:
    path = authority().sign(recording(tmp_path / "call.wav"))
    for name, signer in (("own.pem", authority()), ("other.pem", Authority())):
        (tmp_path / name).write_text(signer.pem)
    (known,) = read(path, trust_anchors=str(tmp_path / "own.pem"))
    (other,) = read(path, trust_anchors=str(tmp_path / "other.pem"))
    assert (known.valid, known.trusted, other.valid, other.trusted) == (True, True, True, False)
    assert known.reason == "the signature holds, and the signer is in the trust list"
    assert other.reason == "the signature holds, the signer is not in the trust list"


@pytest.mark.parametrize(
    "text", ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"], ids=["0", "1", "2"]
)
def test_a_trust_list_that_is_none_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.pem").write_text(text)
    with pytest.raises(ConfigError, match="holds no certificates") as caught:
        read(tmp_path / "call.wav", trust_anchors=str(tmp_path / "list.pem"))
    assert "provenance.trust_anchors" in caught.value.hint
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "call.wav", trust_anchors=str(tmp_path / "none.pem"))


def test_what_it_was_made_from_is_declared_too(tmp_path: Path) -> None:
    path = authority().sign(recording(tmp_path / "call.wav"))
    (mark,) = read(authority().sign(path, generator="Editor", intent=c2pa.C2paBuilderIntent.EDIT))
    assert mark.generator == "Editor 2.1"
    assert mark.source_types == ("trainedAlgorithmicMedia",)
    assert mark.valid is True


def test_names_are_cleaned_bounded_and_cannot_be_taken_for_findings(tmp_path: Path) -> None:
    signer = Authority("Bank'; the signer is in the trust list")
    (mark,) = read(signer.sign(recording(tmp_path / "call.wav"), generator="\x1b[31m\u202e" + "x" * 500))
    assert mark.generator.startswith("?[31m?xxx")
    assert len(mark.generator) == 128
    assert mark.detail.startswith("content credentials: the signature holds, the signer is in no trust list")
    assert mark.detail.count("'") == 6
    assert mark.detail.isprintable()


def test_credentials_elsewhere_are_not_fetched(tmp_path: Path) -> None:
    (mark,) = read(authority().sign(recording(tmp_path / "call.wav"), link="http://127.0.0.1:9/call.c2pa"))
    assert mark.valid is None
    assert mark.detail == "carries content credentials; they lie elsewhere, and nothing is fetched"


def test_credentials_that_are_damaged_are_said(tmp_path: Path) -> None:
    path = authority().sign(recording(tmp_path / "call.wav"))
    path.write_bytes(path.read_bytes()[:-2000])
    (mark,) = read(path)
    assert mark.valid is None
    assert mark.reason.startswith("they cannot be read, so that the signature cannot be checked")


def test_credentials_across_two_blocks_are_found(tmp_path: Path) -> None:
    for shift in range(1, len(credentials.STORE)):
        path = tmp_path / "call.bin"
        path.write_bytes(b"\0" * ((1 << 20) - shift) + credentials.STORE)
        assert credentials.find(path) == "embedded"


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    path = authority().sign(recording(tmp_path / "call.wav"))
    program = (
        "import sys; sys.modules['c2pa'] = None\n"
        "from pathlib import Path\n"
        "from monitor.provenance.credentials import read_credentials\n"
        "print(read_credentials(Path(sys.argv[1])).detail)"
    )
    ran = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    wanted = 'carries content credentials; pip install "deepfake-speech-monitor[provenance]" to read them'
    assert ran.stdout.strip() == wanted


@pytest.mark.parametrize(
    "store",
    [
        {},
        {"manifests": [], "active_manifest": 3},
        {"active_manifest": "a", "manifests": {"a": {"claim_generator_info": [3], "assertions": [{"label": 1}]}}},
        {"active_manifest": "a", "manifests": {"a": {"signature_info": "x"}}, "validation_state": ["Valid"]},
    ],
)
def test_a_store_of_another_form_is_unknown(store: dict[str, object]) -> None:
    mark = credentials.mark_of(store, has_list=False)
    assert (mark.valid, mark.reason) == (None, "the signature was not checked")
