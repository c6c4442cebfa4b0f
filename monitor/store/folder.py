"""A folder of evidence on disk: written under another name, sealed, and then there as a whole."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model.config import SAMPLE_RATE
from monitor.config.schema import Config
from monitor.config.section import shown
from monitor.disk.file_names import file_part
from monitor.disk.private import make_folder, open_private
from monitor.store.clip import AudioStretch, EvidenceClip
from monitor.store.seal import MANIFEST, SEAL, manifest, seal
from monitor.store.spectrogram import png, spectrogram
from monitor.store.verify_evidence import UNFINISHED

TIMELINE, SETTINGS, README = "timeline.jsonl", "settings.json", "README.txt"
LIBRARIES = ("onnxruntime", "torch", "numpy", "soundfile", "av")

HOW_TO_READ = """\
Evidence kept by deepfake-speech-monitor.

audio-*.flac        what the detector heard, one file for each side of the call: 16 kHz, 16 bits. Lost audio is silence.
spectrogram-*.png   the same audio; left to right time, bottom to top 0 to 8 kHz, bright = loud
timeline.jsonl      what the monitor said, one JSON object a line; type "hole" = no audio there (lost, or none came).
                    sample / 16000 = seconds since the call began
settings.json       the settings in effect, without secrets
manifest.json       what this is, the model and the versions, the SHA-256 sum of every file
manifest.hmac       where a key was set: the seal on the manifest

Check it:  monitor verify FOLDER   (--key FILE where there is a seal)
Read it:   monitor report FOLDER -o report.html

p_fake is the detector's estimate, not a proof: real voices are taken for synthetic ones, and synthetic ones for real.
"""


class DraftFolder:
    """A folder that nobody sees under its name until publish()."""

    def __init__(self, root: Path, name: str, epoch: str) -> None:
        """Raises OSError."""
        self._root, self._name = root, name
        self.path = root / f"{UNFINISHED}{name}-{epoch[-6:]}"
        shutil.rmtree(self.path, ignore_errors=True)
        make_folder(self.path)

    def write(self, name: str, data: bytes) -> None:
        """Write one file, which is on the disk when this returns. Raises OSError."""
        with os.fdopen(open_private(self.path / name, os.O_WRONLY | os.O_TRUNC), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def empty(self, name: str) -> Path:
        """Make a file that somebody else is to fill. Raises OSError."""
        self.write(name, b"")
        return self.path / name

    def publish(self, facts: Mapping[str, object], key: bytes | None) -> Path:
        """Write the manifest, seal it, and give the folder its name. Raises OSError."""
        final = self._free_name()
        text = manifest(self.path, {"folder": final.name, **facts})
        self.write(MANIFEST, text)
        if key is not None:
            self.write(SEAL, seal(key, text).encode() + b"\n")
        _sync(self.path)
        self.path.rename(final)
        _sync(self._root)
        return final

    def discard(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _free_name(self) -> Path:
        final, number = self._root / self._name, 1
        while final.exists():
            number += 1
            final = self._root / f"{self._name}~{number}"
        return final


def _sync(folder: Path) -> None:
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def folder_name(time: str, *parts: str) -> str:
    """Return an event's time and names: 20260131T120000Z-call-caller-1. The names as they are belong in the
    manifest."""
    moment = time[:19].replace("-", "").replace(":", "") + "Z"
    return "-".join([moment, *map(file_part, parts)])


def file_of(kind: str, number: int, channel: str, ending: str) -> str:
    """Return the name of a channel's file; the number keeps channels apart whose names look alike. From 1."""
    return f"{kind}-{number}-{file_part(channel)}.{ending}"


def flac(stretch: AudioStretch) -> bytes:
    """Encode FLAC, 16 bits, one channel. In memory, because libsndfile does not report a full disk."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, stretch.samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def hole_lines(channel: str, stretch: AudioStretch) -> Iterable[tuple[int, bytes]]:
    """Return (sample, JSON line) of what is missing in a channel's audio."""
    for hole in stretch.holes:
        facts = {"type": "hole", "channel": channel, "sample": hole.start, "samples": hole.samples, "why": hole.why}
        yield (
            hole.start,
            json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace"),
        )


def write_alert(
    draft: DraftFolder, clip: EvidenceClip, lines: Iterable[tuple[int, bytes]], facts: Mapping[str, Any], config: Config
) -> dict[str, object]:
    """Return all files of an alert but the manifest, whose facts are returned. lines: (sample, JSON line) of the
    events."""
    lines, audio = list(lines), []
    stretches = clip.stretches() if clip.pieces else {}
    for number, (channel, stretch) in enumerate(stretches.items(), 1):
        names = file_of("audio", number, channel, "flac"), file_of("spectrogram", number, channel, "png")
        draft.write(names[0], flac(stretch))
        draft.write(names[1], png(spectrogram(stretch.samples)))
        lines += hole_lines(channel, stretch)
        missing = sum(hole.samples for hole in stretch.holes)
        facts_of = audio_facts(channel, names[0], stretch.start, len(stretch.samples), missing)
        audio.append({**facts_of, "picture": names[1]})
    draft.write(TIMELINE, b"".join(line + b"\n" for _, line in sorted(lines, key=lambda line: line[0])))
    write_common(draft, config)
    opened = clip.opened
    about = {"call": opened.call, "channel": opened.channel, "alert": opened.data["alert"]}
    span = {"opened_sample": opened.sample, "first_sample": clip.first, "last_sample": clip.last}
    return {"kind": "alert", **about, **span, "channels": list(clip.channels), "audio": audio, **facts}


def audio_facts(channel: str, file: str, start: int, samples: int, missing: int) -> dict[str, object]:
    """Return what the manifest says of a channel's audio. missing: samples that are silence because there were none."""
    return {"channel": channel, "file": file, "start_sample": start, "samples": samples, "missing_samples": missing}


def write_common(draft: DraftFolder, config: Config) -> None:
    """Write the settings and the README of the folder."""
    draft.write(SETTINGS, (json.dumps(public_settings(config), indent=1, default=str) + "\n").encode())
    draft.write(README, HOW_TO_READ.encode())


def public_settings(config: Config) -> dict[str, object]:
    """Return every setting by its key; of a secret only where it is to be found."""
    return {key: shown(value) for key, value in config.settings()}


def versions() -> dict[str, str]:
    """Return versions of the program, Python and what the scores depend on, without importing any."""
    from importlib.metadata import PackageNotFoundError, version
    from platform import platform, python_version

    found = {"python": python_version(), "platform": platform()}
    for package in ("deepfake-speech-monitor", *LIBRARIES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
