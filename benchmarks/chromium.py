"""Chromium without anything that asks the network or the screen."""

from __future__ import annotations

from pathlib import Path

BROWSER = Path("/usr/bin/chromium")
FLAGS = tuple(
    f"--{name}"
    for name in (
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    )
)
