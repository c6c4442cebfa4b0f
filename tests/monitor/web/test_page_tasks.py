"""Ten tasks at the page, by keys and by clicks, in a real browser; docs/web.md says how many of them each takes."""

from __future__ import annotations

import importlib.util
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers import QUICK, environment, run_monitor, settings, turning_call, voice, write_wav
from web_server import Served, make_weights, serving_page

from benchmarks.chromium import BROWSER, FLAGS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).parents[3]
WAIT_MS = 40_000
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
WORST, OTHER = "turning", "human"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.realtime,
    pytest.mark.skipif(not BROWSER.exists(), reason=f"{BROWSER} is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of two calls that ended just now, one with an alert, and the evidence of it."""
    folder = tmp_path_factory.mktemp("desktop")
    make_weights(folder / "w.safetensors")
    write_wav(folder / f"{WORST}.wav", turning_call(4, 6, 4))
    write_wav(folder / f"{OTHER}.wav", voice(9.0))
    kept = ("--journal", "journal.jsonl", "--evidence", "evidence")
    for name in (WORST, OTHER):
        words = ("--speed", "max", "--weights", "w.safetensors", "--json", "--no-publish", *kept, *settings(*QUICK))
        assert run_monitor("replay", f"{name}.wav", *words, cwd=folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serving_page(folder, "--journal", "journal.jsonl", "--evidence", "evidence", env=environment()) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=[*FLAGS])
        yield browser
        browser.close()


@dataclass
class Hands:
    """A page, and how often a key was pressed or something clicked. by: the way of this round."""

    page: Page
    by: str
    count: int = 0

    def do(self, key: str, click: str) -> None:
        """Press a key, or click the element; "" where that way needs nothing here."""
        if self.by == "keys" and key:
            self.page.keyboard.press(key)
            self.count += 1
        elif self.by == "clicks" and click:
            self.page.click(click)
            self.count += 1

    def choose(self, key: str, menu: str, value: str, times: int = 1) -> None:
        """Press a key some times, or choose from a menu, which takes two clicks."""
        if self.by == "keys":
            for _ in range(times):
                self.page.keyboard.press(key)
            self.count += times
        else:
            self.page.select_option(menu, value)
            self.count += 2

    def open_worst(self) -> None:
        self.do("Enter", "#ended-rows tr[data-state=alert]")
        self.page.wait_for_selector("#whole:not([hidden])")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Of somebody whose name the browser knows."""
    context = browser.new_context(viewport=DESKTOP, accept_downloads=True)  # type: ignore[arg-type]
    context.set_default_timeout(WAIT_MS)
    context.add_init_script("localStorage.setItem('who marks', 'Kim Doe')")
    yield context
    context.close()


@pytest.fixture(params=["keys", "clicks"])
def hands(request: pytest.FixtureRequest, context: BrowserContext, served: Served) -> Hands:
    page = context.new_page()
    page.goto(served.address)
    page.wait_for_selector("#ended-rows tr[data-state=alert]")
    return Hands(page, request.param)


def takes(hands: Hands, task: str) -> None:
    """Compare with the documentation."""
    row = next(line for line in (ROOT / "docs/web.md").read_text().splitlines() if line.startswith(f"| {task} "))
    keys, clicks = (int(cell) for cell in re.findall(r"\| (\d+) ", row + " "))
    assert hands.count == {"keys": keys, "clicks": clicks}[hands.by]


def marks(served: Served) -> list[dict[str, object]]:
    calls = json.loads(served.request("/api/v1/calls?sort=-worst")[2])["calls"]
    found: list[dict[str, object]] = json.loads(served.request(f"/api/v1/calls/{calls[0]['id']}")[2])["marks"]
    return found


def new_mark(served: Served, before: int) -> tuple[object, object]:
    """The kind and the author of the mark after so many."""
    end = time.monotonic() + WAIT_MS / 1000
    while len(found := marks(served)) <= before:
        assert time.monotonic() < end, "no mark came"
        time.sleep(0.05)
    return found[before]["kind"], found[before]["by"]


def until(page: Page, true: str) -> None:
    """Wait for an expression; wait_for_function() would need eval(), which the page's security policy forbids."""
    end = time.monotonic() + WAIT_MS / 1000
    while not page.evaluate(true):
        assert time.monotonic() < end, true
        page.wait_for_timeout(50)


def hears(page: Page) -> None:
    """The cursor follows the audio of evidence."""
    until(page, "document.querySelector('.player .main-button').textContent === 'Pause'")
    before = page.inner_text(".reading")
    until(page, f"document.querySelector('.reading').textContent !== {json.dumps(before)}")


def test_find_the_worst_call_hear_the_moment_and_mark_it_false(hands: Hands, served: Served) -> None:
    before, page = len(marks(served)), hands.page
    hands.choose("h", "#by-since", "1h")
    hands.open_worst()
    page.wait_for_selector(".player .main-button:not([hidden])")
    assert "alert" in page.inner_text(".reading")
    hands.do("p", ".player .main-button")
    hears(page)
    hands.do("f", "[data-mark=false_alarm]")
    page.wait_for_selector("#call-marks .tag:has-text('false alarm')")
    assert new_mark(served, before) == ("false_alarm", "Kim Doe")
    takes(hands, "find the worst call of the last hour, hear the moment, mark it a false alarm")


def test_see_what_to_do(hands: Hands, served: Served) -> None:
    hands.open_worst()
    page = hands.page
    page.wait_for_selector("#call-badge .badge[data-state=alert]")
    if marks(served) and marks(served)[-1]["kind"] == "false_alarm":
        page.click("[data-mark=confirmed]")
    page.wait_for_selector("#advice:not([hidden])")
    assert "call back" in page.inner_text("#advice")
    assert "evidence, not proof" in page.inner_text("#advice")
    takes(hands, "see what to do about the worst call")


def test_acknowledge(hands: Hands, served: Served) -> None:
    before = len(marks(served))
    hands.open_worst()
    hands.page.wait_for_selector("#marks-bar:not([hidden])")
    hands.do("a", "[data-mark=acknowledged]")
    hands.page.wait_for_selector("#call-marks .tag:has-text('acknowledged')")
    hands.page.wait_for_selector("#marks li:has-text('Kim Doe')")
    assert new_mark(served, before) == ("acknowledged", "Kim Doe")
    takes(hands, "acknowledge it")


def test_search(hands: Hands, served: Served) -> None:
    page = hands.page
    name = json.loads(served.request(f"/api/v1/calls?text={OTHER}")[2])["calls"][0]["id"]
    hands.do("/", "#find")
    until(page, "document.activeElement.id === 'find'")
    page.keyboard.type(OTHER)
    until(page, "document.querySelectorAll('#ended-rows tr').length === 1")
    assert page.get_attribute("#ended-rows tr", "data-call") == name
    assert page.url.endswith(f"#text={OTHER}")
    takes(hands, "find the calls of a name or number")


def test_list_what_nobody_has_looked_at(hands: Hands) -> None:
    hands.choose("u", "#by-mark", "open")
    hands.page.wait_for_selector("#found:has-text('found')")
    assert hands.page.locator("#ended-rows tr:not([data-state=alert])").count() == 0
    takes(hands, "list the alerts without a mark")


def test_write_a_note(hands: Hands, served: Served) -> None:
    page = hands.page
    hands.open_worst()
    page.wait_for_selector("#marks-bar:not([hidden])")
    hands.do("n", "[data-mark=note]")
    page.keyboard.type(f"Called him back, by {hands.by}.")
    hands.do("Control+Enter", "#mark-save")
    page.wait_for_selector(f"#marks li:has-text('by {hands.by}.')")
    assert marks(served)[-1]["note"] == f"Called him back, by {hands.by}."
    takes(hands, "write a note on a call")


def test_hear_the_next_segment(hands: Hands) -> None:
    page = hands.page
    hands.open_worst()
    page.wait_for_selector(".player .main-button:not([hidden])")
    hands.do("]", "#segments tr:last-child .link-button")
    hands.do("p", ".player .main-button")
    hears(page)
    takes(hands, "hear a call from the next segment on")


def test_a_link_leads_to_the_same_moment(hands: Hands, context: BrowserContext) -> None:
    page = hands.page
    hands.open_worst()
    hands.do("[", "#segments tr:nth-child(2) .link-button")
    place = page.inner_text(".reading")
    other = context.new_page()
    other.goto(page.url)
    other.wait_for_selector("#whole:not([hidden])")
    assert other.inner_text(".reading") == place
    takes(hands, "make a link to a moment of a call")


def test_score_a_file_and_save_the_report(hands: Hands, folder: Path) -> None:
    page = hands.page
    # Playwright asks for choosers without waiting for the answer, and a key would be faster.
    page.on("filechooser", lambda _: None)
    page.wait_for_timeout(500)
    with page.expect_file_chooser() as chooser:
        hands.do("o", "#choose-file")
    chooser.value.set_files(folder / f"{WORST}.wav")
    page.wait_for_selector("#call-facts a.button")
    page.wait_for_selector("#call-badge .badge[data-state=alert]")
    page.wait_for_selector(".picture canvas")
    assert page.locator("#segments tbody tr").count() >= 3
    with page.expect_download() as download:
        hands.do("d", "#call-facts a.button")
    assert WORST in download.value.path().read_text()
    takes(hands, "score a recording and save the report")
    page.click("#back")
    page.wait_for_selector(f"#file-rows tr[data-state=alert]:has-text('{WORST}.wav')")


def test_list_the_longest_that_ended(hands: Hands) -> None:
    page = hands.page
    hands.do("3", "input[value=ended]")
    hands.choose("s", "#by-sort", "longest", 3)
    until(page, "document.querySelectorAll('#ended-rows tr').length === 2")
    lengths = page.locator("#ended-rows td.c-length").all_inner_texts()
    assert lengths == sorted(lengths, reverse=True)
    takes(hands, "list the calls that ended, the longest first")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_a_violation_that_axe_finds(
    browser: Browser, served: Served, folder: Path, size: dict[str, int], scheme: str
) -> None:
    axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    context.set_default_timeout(WAIT_MS)
    page, axe = context.new_page(), axe_module.Axe()

    def clean(view: str) -> None:
        found = axe.run(page)
        assert found.violations_count == 0, f"{view}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view

    page.goto(served.address)
    page.wait_for_selector("#ended-rows tr[data-state=alert]")
    clean("the list")
    page.click("#ended-rows tr[data-state=alert]")
    page.wait_for_selector(".picture img")
    clean("a call")
    page.click("[data-mark=note]")
    clean("a note")
    page.keyboard.press("Escape")
    page.set_input_files("#file", folder / f"{WORST}.wav")
    page.wait_for_selector("#call-facts a.button")
    clean("a file")
    page.evaluate("document.getElementById('keys').showModal()")
    clean("the keys")
    page.evaluate("document.getElementById('keys').close()")
    page.click("#back")
    page.wait_for_selector("#file-rows tr[data-state=alert]")
    clean("the list with files")
    context.close()
