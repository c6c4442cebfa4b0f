"""Lengths of recordings of every kind, beside what ffmpeg decodes of them: python -m benchmarks.recordings.

Each file is made here of the same 12 s of sound, by ffmpeg, sox and GStreamer, into a file or through a pipe. Prints a
table for docs/recordings.md.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from monitor.audio import Chunk
from monitor.errors import BadInputError
from monitor.sources.recording import FileSource
from monitor.types import SAMPLE_RATE

RATE, SECONDS = 8000, 12.0
FILES = {
    "mp3": "-c:a libmp3lame -q:a 5",
    "mp3 without index": "-c:a libmp3lame -q:a 5 -write_xing 0 -f mp3",
    "flac": "-c:a flac",
    "ogg (Vorbis)": "-c:a libvorbis -f ogg",
    "ogg (Opus)": "-c:a libopus -f ogg",
    "m4a": "-c:a aac -f ipod",
    "aac": "-c:a aac -f adts",
    "webm": "-c:a libopus -f webm",
    "amr": "-c:a libopencore_amrnb -f amr",
    "wav, 8 bit": "-c:a pcm_u8 -f wav",
    "wav, 24 bit": "-c:a pcm_s24le -f wav",
    "wav, 32-bit float": "-c:a pcm_f32le -f wav",
    "wav, 64-bit float": "-c:a pcm_f64le -f wav",
    "rf64": "-rf64 always -f wav",
    "m4a, ALAC": "-c:a alac -f ipod",
    "flac in ogg": "-c:a flac -f ogg",
    "speex in ogg": "-c:a libspeex -f ogg",
    "aiff": "-f aiff",
    "au": "-f au",
    "caf": "-f caf",
    "w64": "-f w64",
    "wav, IMA ADPCM": "-c:a adpcm_ima_wav -f wav",
    "wav, MP3 inside": "-c:a libmp3lame -f wav",
    "wav, GSM": "-c:a libgsm_ms -f wav",
    "mpegts": "-c:a mp2 -f mpegts",
    "wma": "-c:a wmav2 -f asf",
    "ac3": "-c:a ac3 -ar 48000 -f ac3",
}
CHAINED = {
    "ogg: Vorbis at 16 kHz, then at 44.1": ("-c:a libvorbis -ar 16000", "-c:a libvorbis -ar 44100"),
    "ogg: Opus in mono, then in stereo": ("-c:a libopus", "-c:a libopus -ac 2"),
    "ogg: Opus, then Vorbis": ("-c:a libopus", "-c:a libvorbis"),
}
"""Ogg files of twice the length: two, one behind the other."""
JOINED = ("mp3", "flac", "aiff", "au", "caf", "m4a", "webm")
"""Of FILES, each twice, one behind the other, as `cat` joins them."""
PIPES = {
    "wav of ffmpeg": "ffmpeg -v error -i {} -f wav -",
    "flac of ffmpeg": "ffmpeg -v error -i {} -f flac -",
    "mp3 of ffmpeg": "ffmpeg -v error -i {} -f mp3 -",
    "webm of ffmpeg": "ffmpeg -v error -i {} -c:a libopus -f webm -",
    "mp4 of ffmpeg, in fragments": "ffmpeg -v error -i {} -c:a aac -f mp4 -movflags frag_keyframe+empty_moov -",
    "wav of sox": "sox {} -t wav -",
    "flac of sox": "sox {} -t flac -",
    "aiff of sox": "sox {} -t aiff -",
    "wav of GStreamer": "gst-launch-1.0 -q filesrc location={} ! wavparse ! audioconvert ! wavenc ! fdsink",
    "flac of GStreamer": "gst-launch-1.0 -q filesrc location={} ! wavparse ! audioconvert ! flacenc ! fdsink",
}


def decoded_s(path: Path) -> float:
    """Return seconds that ffmpeg decodes, by the samples that come out."""
    words = ["-i", str(path), "-map", "0:a:0", "-af", "aresample=48000,ashowinfo", "-f", "null", "-"]
    done = subprocess.run(["ffmpeg", "-nostdin", "-v", "info", *words], capture_output=True, text=True, check=False)
    return sum(int(n) for n in re.findall(r"nb_samples:(\d+)", done.stderr)) / 48_000


def scored_s(path: Path) -> str:
    """Return seconds that the monitor reads, and what it says of the file."""
    try:
        items = list(FileSource(path).chunks())
    except BadInputError as error:
        return f"refused: {error.message}"
    seconds = sum(item.samples.shape[1] for item in items if isinstance(item, Chunk)) / SAMPLE_RATE
    codes = ", ".join(item.code for item in items if not isinstance(item, Chunk))
    return f"{seconds:.3f}" + (f" ({codes})" if codes else "")


def made(folder: Path, voice: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files, each with its name in the table."""
    for name, words in FILES.items():
        path = folder / f"file-{len(name)}-{abs(hash(name))}"
        command = ["ffmpeg", "-v", "error", "-y", "-i", str(voice), *words.split()]
        suffix = [] if "-f" in words.split() else ["-f", name]
        if subprocess.run([*command, *suffix, str(path)], capture_output=True, check=False).returncode == 0:
            yield name, path
        if name in JOINED:
            twice = folder / f"joined-{name}"
            twice.write_bytes(2 * path.read_bytes())
            yield f"joined: {name}", twice
    twice = folder / "joined-wav"
    twice.write_bytes(2 * voice.read_bytes())
    yield "joined: wav", twice
    for name, line in PIPES.items():
        path = folder / f"pipe-{len(name)}-{abs(hash(name))}"
        path.write_bytes(subprocess.run(line.format(voice).split(), capture_output=True, check=False).stdout)
        yield f"pipe: {name}", path
    for name, both in CHAINED.items():
        path = folder / f"chained-{len(name)}"
        parts = []
        for words in both:
            command = ["ffmpeg", "-v", "error", "-i", str(voice), *words.split(), "-f", "ogg", "-"]
            parts.append(subprocess.run(command, capture_output=True, check=False).stdout)
        path.write_bytes(b"".join(parts))
        yield name, path
    stale = folder / "stale"
    whole = bytearray(voice.read_bytes())
    at = whole.index(b"data")
    whole[4:8], whole[at + 4 : at + 8] = (36).to_bytes(4, "little"), bytes(4)
    stale.write_bytes(whole)
    yield "wav that was never finished", stale


def main() -> None:
    """Print the table."""
    t = np.arange(round(RATE * SECONDS)) / RATE
    samples = (0.3 * np.sin(2 * np.pi * 300 * t) * 32767).astype("<i2").tobytes()
    print("| kind | ffmpeg decodes, s | the monitor reads, s |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        voice = Path(folder) / "voice.wav"
        given = ["-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-"]
        plain = ["-fflags", "+bitexact", "-map_metadata", "-1"]
        subprocess.run(["ffmpeg", "-v", "error", *given, *plain, str(voice)], input=samples, check=True)
        for name, path in made(Path(folder), voice):
            print(f"| {name} | {decoded_s(path):.3f} | {scored_s(path)} |", flush=True)


if __name__ == "__main__":
    main()
