"""training equalise: take out what gives labels away without a voice: band, noise floor, length, file format.

Demonstration pages often have recordings in another sample rate or file format than the synthetic clips beside them
(Müller et al., 2021, show how far such shortcuts carry). Here each clip is paired with a clip of the other class, of
the same page where there is one, and both are brought to what they have in common: the lower of the two band edges,
the higher of the two noise floors, the shorter of the two lengths, coded by MP3 where one of them was. The operation
is the same for both, so that own and partner's traits are spread alike over the classes, whatever they were before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
from scipy import signal

from model.config import HOP, SAMPLE_RATE
from model.vocoding.spectra import Audio
from training.corpora.bank import read_audio
from training.corpora.clips import CorpusError, read_rows
from training.corpora.work_progress import Progress
from training.vocoding.vocode import write_flac, write_manifest

Row = dict[str, str]

EDGE_DB = 50.0
"""A band ends where the mean spectrum falls so far below its maximum, as in training/evaluate/shortcuts.py."""
EDGES = 3200.0, 7900.0
"""Hz. Lowest and highest band edge that clips are limited to."""
FLOORS = -75.0, -42.0
"""dB below a peak of 1: lowest and highest noise floor that is given to clips."""
SILENT_DB = 40.0
LOSSY = frozenset({".mp3", ".ogg", ".opus", ".m4a", ".aac", ".mp4", ".webm"})


@dataclass(frozen=True)
class Traits:
    """edge: Hz. floor: dB below a peak of 1. samples: length without outer silence. lossy: it was a coded file."""

    edge: float
    floor: float
    samples: int
    lossy: bool

    def common(self, other: Traits) -> Traits:
        """Return the traits that two clips can both be given; the order does not matter."""
        return Traits(
            float(np.clip(min(self.edge, other.edge), *EDGES)),
            float(np.clip(max(self.floor, other.floor), *FLOORS)),
            min(self.samples, other.samples),
            self.lossy or other.lossy,
        )


def trimmed(x: Audio) -> Audio:
    """Return x (n,) at a peak of 1 without the silence around the speech."""
    x = x / np.float32(max(float(np.abs(x).max(initial=0.0)), 1e-6))
    cells = x[: len(x) // HOP * HOP].reshape(-1, HOP)
    level = 10.0 * np.log10((cells.astype(np.float64) ** 2).mean(1) + 1e-12)
    if not len(level):
        return x
    loud = np.flatnonzero(level > level.max() - SILENT_DB)
    begin, end = int(loud[0]) * HOP, (int(loud[-1]) + 1) * HOP
    return np.asarray(x[begin:end], dtype=np.float32)


def find_traits(x: Audio, origin: str) -> Traits:
    """Return traits of trimmed(x); origin: where it came from, whose ending tells a coded file."""
    size = 1024
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(x, (0, max(0, size - len(x)))), size)[:: size // 2]
    power = 10.0 * np.log10((np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2).mean(0) + 1e-12)
    edge = float(np.flatnonzero(power > power.max() - EDGE_DB)[-1] * SAMPLE_RATE / size)
    cells = x[: len(x) // HOP * HOP].reshape(-1, HOP).astype(np.float64)
    floor = float(np.percentile(10.0 * np.log10((cells**2).mean(1) + 1e-12), 5)) if len(cells) else FLOORS[0]
    lossy = Path(origin.partition("#")[0].strip()).suffix.lower() in LOSSY
    return Traits(edge, floor, len(x), lossy)


def matched_to(x: Audio, own: Traits, common: Traits, rng: np.random.Generator) -> Audio:
    """Return x (n,) of trimmed() cut to the common length, with the common noise, coding and band, in this order.

    Every clip gets noise, as much as its own floor lacks of 3 dB above the common one.
    """
    start = (len(x) - common.samples) // 2
    x = trimmed(x[start : start + common.samples])
    lacking = 2.0 * 10.0 ** (common.floor / 10.0) - 10.0 ** (min(own.floor, common.floor) / 10.0)
    y = x + _noise(len(x), rng) * np.float32(lacking**0.5)
    if common.lossy:
        y = _through_mp3(y, float(rng.uniform(0.3, 0.9)))
    taps = signal.firwin(257, min(common.edge, SAMPLE_RATE / 2 - 60.0), fs=SAMPLE_RATE, window=("kaiser", 8.0))
    return np.asarray(signal.fftconvolve(y, taps)[128 : 128 + len(y)], dtype=np.float32)


def _noise(count: int, rng: np.random.Generator) -> Audio:
    """Return noise (n,) of unit power, between white and brown, as rooms and microphones have it."""
    spectrum = np.fft.rfft(rng.standard_normal(max(count, 2)))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** -rng.uniform(0.0, 1.0)
    noise = np.fft.irfft(spectrum, max(count, 2))[:count]
    return np.asarray(noise / max(float(noise.std()), 1e-9), dtype=np.float32)


def _through_mp3(x: Audio, compression: float) -> Audio:
    """MPEG layer 3, shifted back by the coder's delay. compression: 0 best to 1 smallest, as libsndfile takes it."""
    import soundfile

    file = BytesIO()
    soundfile.write(file, x * 0.5, SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=compression)
    file.seek(0)
    y, _ = soundfile.read(file, dtype="float32")
    shift = int(np.argmax(signal.correlate(y[:SAMPLE_RATE], x[: SAMPLE_RATE // 2], mode="valid")))
    y = y[shift : shift + len(x)] * 2.0
    return np.pad(y, (0, len(x) - len(y)))


def partners(rows: Sequence[Mapping[str, str]], pages: Sequence[str], seed: int) -> list[int]:
    """Return, for each row, the index of one of the other class, of its own page where that has one.

    Within a page every clip of the smaller class is drawn about as often as any other. Raises CorpusError where a
    class is missing.
    """
    pools: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, (row, page) in enumerate(zip(rows, pages, strict=True)):
        for key in (page, "*"):
            pools[key, row["label"]].append(i)
    if not (pools["*", "bonafide"] and pools["*", "spoof"]):
        raise CorpusError("needs bona fide and spoof clips: each is equalised with one of the other class")
    rng = np.random.default_rng(seed)
    found = []
    for row, page in zip(rows, pages, strict=True):
        other = "spoof" if row["label"] == "bonafide" else "bonafide"
        pool = pools.get((page, other)) or pools["*", other]
        found.append(pool[int(rng.integers(len(pool)))])
    return found


def page_of(row: Mapping[str, str]) -> str:
    """Return where a clip was published: its detail if origin begins with it, as in the corpus' pages; else its
    part."""
    detail = row.get("detail") or ""
    return detail if detail and (row.get("origin") or "").startswith(detail) else row.get("part") or ""


def equalise(manifests: Sequence[Path], out: Path, progress: Progress, *, split: str, seed: int = 0) -> Path:
    """Write equalised copies of the clips of a split as FLAC, 16 kHz, mono, and their manifest; returns its path.

    Raises CorpusError for what cannot be read, or has one class alone. progress(done, total) counts every clip twice:
    it is read to find its traits, and written.
    """
    found = [(path.parent, dict(row)) for path in manifests for row in _of_split(path, split)]
    rows = [row for _, row in found]
    paths = [folder / row["path"] for folder, row in found]
    traits = []
    for done, (path, row) in enumerate(zip(paths, rows, strict=True), 1):
        traits.append(find_traits(trimmed(read_audio(path)), row.get("origin") or ""))
        progress(done, 2 * len(rows))
    chosen = partners(rows, [page_of(r) for r in rows], seed)
    written = []
    for i, (path, row, partner) in enumerate(zip(paths, rows, chosen, strict=True)):
        name = sha256(f"{seed}/{path}/{paths[partner]}".encode()).hexdigest()[:16]
        target = out / row["label"] / f"{name}.flac"
        common = traits[i].common(traits[partner])
        if not target.is_file():
            rng = np.random.default_rng(int(name[:12], 16))
            write_flac(target, matched_to(trimmed(read_audio(path)), traits[i], common, rng), rng)
        written.append(_row(row, f"{row['label']}/{name}.flac", common.samples / SAMPLE_RATE))
        progress(len(rows) + i + 1, 2 * len(rows))
    return write_manifest(out / "manifest.csv", written)


def _of_split(path: Path, split: str) -> list[Row]:
    rows = [{k: v or "" for k, v in row.items() if k} for row in read_rows(path)]
    return [row for row in rows if (row.get("split") or "train") == split]


def _row(row: Row, path: str, seconds: float) -> Row:
    """Return the speaker of a clip; a page counts as one speaker where it is not known."""
    return row | {"path": path, "speaker": row.get("speaker") or page_of(row), "duration_s": f"{seconds:.2f}"}
