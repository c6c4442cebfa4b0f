"""The documents hold together: links lead somewhere, prose is wrapped, and the docs site names every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from monitor.cli.main import COMMANDS as MONITOR_COMMANDS
from training.cli.main import COMMANDS as TRAINING_COMMANDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path
    for folder in (".", "docs", "findings", "examples", ".github")
    for path in (ROOT / folder).glob("*.md")
    if "site" not in path.parts
)
FOLDERS = (
    "benchmarks",
    "chaos",
    "docs",
    "examples",
    "findings",
    "fuzz",
    "model",
    "monitor",
    "scripts",
    "tests",
    "training",
)
MOST_COLUMNS = 100
README_WORDS = 900


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are neither code nor a table, with their numbers."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith(("    ", "|")):
            yield number, line


def _anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        page = path.parent / name if name else path
        assert page.exists(), f"{path.name} links to {target}"
        if anchor and page.suffix == ".md":
            assert anchor in _anchors(page), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_prose_is_wrapped(path: Path) -> None:
    long = [n for n, line in _prose(path) if len(line) > MOST_COLUMNS and " " in line.strip() and "](" not in line]
    assert not long, f"{path.name}: more than {MOST_COLUMNS} columns in lines {long}"


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= README_WORDS


def test_paths_that_documents_name_exist() -> None:
    files = chain(ROOT.glob("*.py"), *((ROOT / folder).rglob("*.py") for folder in FOLDERS))
    names = {path.name for path in files}
    wrong = []
    for document in DOCUMENTS:
        for word in re.findall(r"`([\w./-]+)`", document.read_text(encoding="utf-8")):
            if word.split("/")[0] in FOLDERS and "/" in word:
                exists = (ROOT / word).exists() or "PARSER" in word
            else:
                exists = not word.endswith(".py") or Path(word).name in names
            wrong += [] if exists else [f"{document.name}: {word}"]
    assert not wrong


def test_commands_are_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    of_monitor, of_training = page.split("\n## training\n")
    assert not [name for name in MONITOR_COMMANDS if f"monitor {name}" not in of_monitor]
    assert not [name for name in TRAINING_COMMANDS if not re.search(rf"`(training )?{name}\b", of_training)]


def test_architecture_names_every_room() -> None:
    table = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.relative_to(ROOT) for path in ROOT.glob("monitor/*/__init__.py")}
    rooms |= {path.parent.relative_to(ROOT) for path in ROOT.glob("training/*/__init__.py")}
    assert len(rooms) > 20
    assert not [room for room in rooms if f"`{room.as_posix()}/`" not in table]


def test_no_registry_is_named_by_its_host() -> None:
    scripts = [ROOT / "Makefile", *(ROOT / "scripts").iterdir(), *(ROOT / ".ci").iterdir()]
    for path in scripts:
        assert not re.search(r"https?://", path.read_text(encoding="utf-8")), path.name
