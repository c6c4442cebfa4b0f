"""`monitor demo`: a call in which a human voice turns into a synthetic one, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.resample import resample_all
from model.vocoders import VOCODERS
from monitor.commands.replay import Replay, replay
from monitor.config import Config
from monitor.errors import BadInputError
from monitor.sources.decode import open_recording
from monitor.types import SAMPLE_RATE, Audio

PROMPT_FOLDERS = (Path("demo/prompts"), Path("/usr/share/asterisk/sounds"))
VOCODER = "griffin-lim"
HALF_S = 20.0
SHORTEST_S = 12.0
PROMPT_BYTES = (30_000, 200_000)
"""2 to 12 s at 8 kHz: whole sentences, and none that would fill the demonstration alone."""
PAUSE = np.zeros(int(0.35 * SAMPLE_RATE), dtype=np.float32)


def read_mono(path: Path) -> Audio:
    """A recording as float32 (n,) at 16 kHz, channels averaged. Raises BadInputError."""
    reader = open_recording(path)
    try:
        blocks = [block.mean(axis=0) for block in reader.blocks()]
        samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
        whole: Audio = resample_all(samples[None], reader.rate)[0]
        return whole
    except ValueError as error:
        raise BadInputError(f"{path} cannot be used: {error}", "name a recording of a human voice") from error
    finally:
        reader.close()


def find_prompts() -> list[Path]:
    """Recorded telephone prompts in English, the longest first. Raises BadInputError where there are none."""
    for folder in PROMPT_FOLDERS:
        found = [p for p in folder.glob("**/en*/**/*.wav") if PROMPT_BYTES[0] < p.stat().st_size < PROMPT_BYTES[1]]
        if found:
            return sorted(found, key=lambda p: (-p.stat().st_size, p.name))
    raise BadInputError(
        "there is no recorded voice for the demonstration",
        "run 'make demo', which installs one, or name a recording: monitor demo FILE",
    )


def _halves(file: Path | None) -> tuple[Audio, Audio]:
    """What is left as it is, and what is re-synthesised: two stretches of one voice."""
    if file is not None:
        voice = read_mono(file)
        if len(voice) < SHORTEST_S * SAMPLE_RATE:
            raise BadInputError(f"{file} is too short", f"name a recording of at least {SHORTEST_S:g} s of speech")
        voice = voice[: int(4 * HALF_S * SAMPLE_RATE)]
        return voice[: len(voice) // 2], voice[len(voice) // 2 :]
    halves: list[list[Audio]] = [[], []]
    for i, path in enumerate(find_prompts()):
        half = halves[i % 2]
        if sum(map(len, half)) < HALF_S * SAMPLE_RATE:
            half += [read_mono(path), PAUSE]
        elif all(sum(map(len, h)) >= HALF_S * SAMPLE_RATE for h in halves):
            break
    return _joined(halves[0]), _joined(halves[1])


def _joined(parts: Sequence[Audio]) -> Audio:
    voice = np.concatenate(parts)
    return np.asarray(voice * (0.3 / max(float(np.abs(voice).max()), 1e-6)), dtype=np.float32)


def make_call(file: Path | None, target: Path) -> float:
    """Write the call to `target`; returns the second at which the voice turns synthetic."""
    import soundfile

    genuine, other = _halves(file)
    synthetic = VOCODERS[VOCODER](other, 0)
    target.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(target, np.concatenate([genuine, synthetic]), SAMPLE_RATE)
    return len(genuine) / SAMPLE_RATE


def demo(file: Path | None, wanted: Replay, config: Config) -> int:
    """Make the call and watch it. Returns the exit status."""
    turn = make_call(file, wanted.file)
    if not wanted.json_lines:
        print(f"wrote {wanted.file}: a human voice until {turn:.1f} s, then the same voice through a {VOCODER} vocoder")
    return replay(wanted, config, name="demo")
