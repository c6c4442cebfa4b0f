"""Pictures of each view of the page of `monitor serve --web`: calls over RTP, scored by the weights that ship.

Recorded telephone prompts speak as they are, and through a vocoder that the network knows (the demonstration's); one
line is on hold, one still rings, and one call ends early. ffmpeg sends them, Chromium draws them.
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from benchmarks.chromium import BROWSER, FLAGS
from model.vocoding.vocoders import VOCODERS
from monitor.audio import Audio
from monitor.session.demo_call import PAUSE, VOCODER, find_prompts, read_mono
from monitor.types import SAMPLE_RATE

LENGTH_S = 120.0
DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
SHOTS = {"light": DESKTOP, "dark": DESKTOP, "phone": PHONE, "phone-dark": PHONE}
ENDS_S = 25.0
"""Length of the call that ends early; its file is scored on the page, too."""
WAIT_MS = 120_000
SETTLE_MS = 1_500


def voice(number: int) -> Audio:
    """Return LENGTH_S of prompts, others for each number."""
    pieces: list[Audio] = []
    for path in find_prompts()[number::7]:
        pieces += [read_mono(path), PAUSE]
        if sum(map(len, pieces)) > LENGTH_S * SAMPLE_RATE:
            break
    joined = np.concatenate(pieces)[: int(LENGTH_S * SAMPLE_RATE)]
    return np.asarray(joined * (0.3 / np.abs(joined).max()), np.float32)


def turning(number: int, after_s: float) -> Audio:
    """Return a voice that turns synthetic."""
    spoken, at = voice(number), int(after_s * SAMPLE_RATE)
    synthetic = VOCODERS[VOCODER](spoken[at : at + 30 * SAMPLE_RATE], 0)
    return np.concatenate([spoken[:at], np.tile(synthetic, 4)])


def ringing() -> Audio:
    """Make ringback as in the United States: 440 and 480 Hz, 2 s of 6."""
    t = np.arange(int(LENGTH_S * SAMPLE_RATE)) / SAMPLE_RATE
    tone = 0.1 * (np.sin(2 * np.pi * 440 * t) + np.sin(2 * np.pi * 480 * t))
    return np.asarray(tone * (t % 6 < 2), np.float32)


def on_hold(number: int, after_s: float) -> Audio:
    """Return a voice that puts the other one on hold, where nothing plays."""
    spoken = voice(number)[: int(after_s * SAMPLE_RATE)]
    return np.concatenate([spoken, np.zeros(int(LENGTH_S * SAMPLE_RATE) - len(spoken), np.float32)])


def free_ports(count: int) -> list[int]:
    """Return free ports with even numbers, for the port above each is RTCP's."""
    found: list[int] = []
    for port in range(20_000, 30_000, 2):
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
            tried.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found


@contextmanager
def running(command: Sequence[str], end: int = signal.SIGKILL) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, and end it with the block."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(end)
        process.wait(20)


def sending(stack: ExitStack, audio: Audio, port: int, folder: Path) -> None:
    """Speak into a port by the clock."""
    path = folder / f"{port}.wav"
    soundfile.write(path, audio, SAMPLE_RATE)
    source = ["ffmpeg", "-loglevel", "error", "-nostdin", "-re", "-i", str(path)]
    form = ["-c:a", "pcm_s16be", "-ar", str(SAMPLE_RATE), "-payload_type", "97", "-f", "rtp"]
    stack.enter_context(running([*source, *form, f"rtp://127.0.0.1:{port}"]))


def server(stack: ExitStack, lines: Sequence[str], page: int, evidence: Path) -> None:
    """Start the monitor, and wait until it listens."""
    words = ["serve", "--screen", "off", "--no-publish", "--web", f"127.0.0.1:{page}", "--evidence", str(evidence)]
    words += [word for line in lines for word in ("--rtp", f"127.0.0.1:{line}")]
    words += ["--set", 'taps.rtp.payload_types={ 97 = "L16/16000/1" }']
    stack.enter_context(running([sys.executable, "-m", "monitor", *words], signal.SIGINT))
    until = time.monotonic() + WAIT_MS / 1000
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", page), 1.0):
            return
        time.sleep(0.1)
    sys.exit("error: the monitor did not start")


def slim(path: Path) -> None:
    """Save with a palette, at half the size. Pillow's usual median cut loses the colours of small signs."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def draw(shown: Page, folder: Path, view: str) -> None:
    """Draw one view, in light and dark, for a large screen and for a telephone."""
    for name, size in SHOTS.items():
        shown.emulate_media(color_scheme="dark" if "dark" in name else "light")
        shown.set_viewport_size(size)
        shown.wait_for_timeout(SETTLE_MS)
        shown.screenshot(path=folder / f"page-{name}{view}.png")


def draw_calls(shown: Page, folder: Path, recording: Path) -> None:
    """Draw the list once a call has ended, a call in an alert, the one that ended, and a file."""
    for state in ("alert", "unknown"):
        shown.wait_for_selector(f"#rows tr[data-state={state}]")
    draw(shown, folder, "-running")
    shown.click("#rows tr[data-state=alert]")
    draw(shown, folder, "-alert")
    shown.click("#back")
    shown.wait_for_selector("#ended-rows tr[data-state=alert]")
    draw(shown, folder, "")
    shown.click("#ended-rows tr[data-state=alert]")
    shown.wait_for_selector(".picture img")
    draw(shown, folder, "-call")
    shown.set_input_files("#file", recording)
    shown.wait_for_selector("#call-facts a.button")
    draw(shown, folder, "-file")


def main() -> None:
    options = argparse.ArgumentParser(prog="benchmarks.page", description="Pictures of the page, of real calls.")
    options.add_argument("--out", type=Path, default=Path("runs/pictures"))
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    *ports, page = free_ports(7)
    lines = [f"{ports[0]}+{ports[1]}", *map(str, ports[2:])]
    early = turning(3, 8.0)[: int(ENDS_S * SAMPLE_RATE)]
    spoken = [turning(0, 8.0), voice(1), on_hold(2, 6.0), early, voice(4), ringing()]
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright, ExitStack() as stack:
        server(stack, lines, page, Path(name) / "evidence")
        browser = playwright.chromium.launch(executable_path=BROWSER, args=[*FLAGS, "--hide-scrollbars"])
        stack.callback(browser.close)
        shown = browser.new_page(viewport=DESKTOP)
        shown.set_default_timeout(WAIT_MS)
        shown.goto(f"http://127.0.0.1:{page}/")
        shown.wait_for_selector("#guide:not([hidden])")
        draw(shown, given.out, "-guide")
        for audio, port in zip(spoken, ports, strict=True):
            sending(stack, audio, port, Path(name))
        draw_calls(shown, given.out, Path(name) / f"{ports[3]}.wav")
    for path in sorted(given.out.glob("page-*.png")):
        slim(path)
        print(f"{path}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
