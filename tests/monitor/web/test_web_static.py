"""What the page is made of, as files."""

from __future__ import annotations

import re

from monitor.web.app import STATIC

START = "start.js"


def test_all_modules_are_loaded_at_once() -> None:
    """One after the other, as imports are found, they would take a round trip for each level."""
    named = re.findall(r'rel="modulepreload" href="/static/([^"]+)"', (STATIC / "index.html").read_text())
    modules = [path.name for path in STATIC.glob("*.js") if "worklet" not in path.name and path.name != START]
    assert sorted(named) == sorted(modules)


def test_nothing_comes_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text().replace("http://www.w3.org", "").replace("http://localhost", "")
        assert not re.search(r"https?://", text), path.name


def test_every_file_is_small() -> None:
    """All of it, without compression: what a browser loads on its first visit."""
    assert sum(path.stat().st_size for path in STATIC.iterdir()) < 200_000
