"""`monitor demo`: a call in which a human voice turns into a synthetic one, made on the spot."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from monitor.audio import Audio, Chunk, Source
from monitor.config.schema import Config
from monitor.errors import BadInputError
from monitor.session.replay import ReplayOptions, replay
from monitor.sources.recording import FileSource
from monitor.types import SAMPLE_RATE

PROMPT_FOLDER = Path("/usr/share/asterisk/sounds")
VOCODER = "channel"
HALF_S = 20.0
SHORTEST_S = 10.0
"""Also what is recorded of a voice of one's own."""
PROMPT_BYTES = (30_000, 200_000)
"""2 to 12 s at 8 kHz: whole sentences, and none that would fill the demonstration alone."""
PAUSE = np.zeros(int(0.35 * SAMPLE_RATE), dtype=np.float32)


def read_mono(path: Path) -> Audio:
    """Return a recording as float32 (n,) at 16 kHz, channels averaged. Raises BadInputError."""
    chunks = FileSource(path, max_channels=64, read_ms=1000).chunks()
    pieces = [c.samples.mean(axis=0) for c in chunks if isinstance(c, Chunk)]
    mono: Audio = np.nan_to_num(np.concatenate([np.zeros(0, np.float32), *pieces]))
    return mono


def find_prompts() -> list[Path]:
    """Find recorded telephone prompts in English, the longest first. Raises BadInputError where there are none."""
    found = [p for p in PROMPT_FOLDER.glob("**/en*/**/*.wav") if PROMPT_BYTES[0] < p.stat().st_size < PROMPT_BYTES[1]]
    if not found:
        raise BadInputError(
            "there is no recorded voice for the demonstration",
            f"start it in a terminal to record {SHORTEST_S:g} s of your voice, or name a recording: monitor demo FILE",
        )
    return sorted(found, key=lambda p: (-p.stat().st_size, p.name))


def record_voice(source: Source, target: Path) -> Path:
    """Write SHORTEST_S of a source to `target`, a wav file of one channel, and close the source.

    Raises BadInputError where the source ends before, gives no usable audio, or the file cannot be written.
    """
    import soundfile

    pieces: list[Audio] = []
    missing = int(SHORTEST_S * SAMPLE_RATE)
    try:
        for item in source.chunks():
            if isinstance(item, Chunk):
                pieces.append(np.nan_to_num(item.samples.mean(axis=0))[:missing])
                missing -= len(pieces[-1])
            elif not item.usable:
                raise BadInputError(f"the microphone cannot be used: {item.detail}", "run 'monitor doctor'")
            if not missing:
                break
    finally:
        source.close()
    if missing:
        raise BadInputError(f"the microphone ended {missing / SAMPLE_RATE:.1f} s early", "run 'monitor doctor'")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, np.concatenate(pieces), SAMPLE_RATE, format="WAV")
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadInputError(f"{target} cannot be written: {error}", "name another folder with --keep") from error
    return target


def _own_voice(target: Path, config: Config, *, interactive: bool) -> Path | None:
    """Return a recording of the user's voice where there are no prompts; None where there are.

    Raises BadInputError where there are none and nobody can be asked.
    """
    try:
        find_prompts()
        return None
    except BadInputError:
        if not interactive:
            raise
    from monitor.sources.live_input import DeviceSource

    source = DeviceSource("mic", config.input)
    print(f"there is no recorded voice here: read something aloud for {SHORTEST_S:g} s, from now on ...", flush=True)
    return record_voice(source, target)


def _halves(file: Path | None) -> tuple[Audio, Audio]:
    """Return two stretches of one voice: one to leave as it is, one to re-synthesise."""
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


def make_call(file: Path | None, target: Path, announce: Callable[[str], None] = lambda _: None) -> float:
    """Write the call to `target`, a wav file; returns the second at which the voice turns synthetic.

    Raises BadInputError.
    """
    import soundfile

    if file is not None and target.exists() and target.samefile(file):
        raise BadInputError(f"the call would be written over {file}", "name another file with --keep")
    genuine, other = _halves(file)
    announce("making a call whose voice turns synthetic half-way ...")
    from model.vocoding.vocoders import VOCODERS

    synthetic = VOCODERS[VOCODER](other, 0)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, np.concatenate([genuine, synthetic]), SAMPLE_RATE, format="WAV")
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadInputError(f"the call cannot be written to {target}: {error}", "name another with --keep") from error
    turn = len(genuine) / SAMPLE_RATE
    announce(f"{target}: a human voice until {turn:.1f} s, from then on the same voice through a {VOCODER} vocoder")
    return turn


def demo(file: Path | None, options: ReplayOptions, config: Config) -> int:
    """Make the call and watch it. Returns the exit status."""
    if file is None:
        interactive = sys.stdin.isatty() and not options.json_lines
        file = _own_voice(options.file.with_name("voice.wav"), config, interactive=interactive)
    make_call(file, options.file, (lambda _: None) if options.json_lines else partial(print, flush=True))
    return replay(options, config, name="demo")
