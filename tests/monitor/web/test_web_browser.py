"""The page in a real browser: Chromium, whose fake microphone plays a recording."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import peers
import pytest
from helpers import environment, settings, turning_call, voice, write_wav
from web_server import Served, serving_page

from benchmarks.chromium import BROWSER, FLAGS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FAKE_MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
WAIT_MS = 60_000
TOKEN = "correct horse battery"
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(not BROWSER.exists(), reason=f"{BROWSER} is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
]
needs_gstreamer = pytest.mark.skipif(bool(peers.missing("gst-launch-1.0")), reason="GStreamer is not installed")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's microphone hears, again and again."""
    return write_wav(tmp_path_factory.mktemp("spoken") / "turning.wav", turning_call(3, 6, 1))


@pytest.fixture(scope="module")
def browser(spoken: Path) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = [*FLAGS, *FAKE_MICROPHONE, f"--use-file-for-fake-audio-capture={spoken}"]
        browser = playwright.chromium.launch(executable_path=BROWSER, args=flags)
        yield browser
        browser.close()


class Complaints(list[str]):
    """What a page says on its console and throws, but for those that a lost connection makes."""

    def of(self, page: Page) -> Page:
        page.on("console", lambda result: self.append(result.text) if result.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.append(str(error)))
        page.set_default_timeout(WAIT_MS)
        return page


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


def opened(browser: Browser, served: Served, complaints: Complaints, size: dict[str, int] = DESKTOP) -> Page:
    page = complaints.of(browser.new_page(viewport=size))  # type: ignore[arg-type]
    page.goto(served.address)
    page.wait_for_selector("#link.live")
    return page


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_this_microphone_becomes_a_call_that_raises_an_alert(
    browser: Browser, tmp_path: Path, complaints: Complaints
) -> None:
    words = settings("web.listen_in=true")
    with serving_page(tmp_path, *words, env=environment(MONITOR_WEB__TOKEN=TOKEN)) as served:
        page = complaints.of(browser.new_page(viewport=DESKTOP))  # type: ignore[arg-type]
        page.goto(served.address)
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#link.live")
        page.wait_for_selector("#guide:not([hidden])")
        assert "No calls yet" in page.inner_text("#guide")
        assert "monitor serve --web --rtp 127.0.0.1:5004" in page.inner_text("#guide")
        page.click("#microphone")
        page.wait_for_selector("#rows tr[data-state=alert]")
        assert re.fullmatch(r"\(1\) ALERT · .*", page.title())
        assert "likely synthetic" in page.inner_text("#news-text")
        assert page.evaluate("document.querySelector('#mic-level i').style.transform") != "scaleX(0.000)"
        page.focus("#rows .open")
        page.keyboard.press("Enter")
        page.wait_for_selector("article.channel[data-state=alert]")
        assert re.search(r", \d\d:\d\d:\d\d$", page.inner_text("#call-title"))
        assert "call back" in page.inner_text("#advice")
        assert page.inner_text("article.channel .big").endswith("%")
        assert page.inner_text("article.channel .families").startswith("GAN vocoder")
        page.click("text=Listen in")
        served.monitor.wait_for(lambda line: '"listened in"' in line)
        page.keyboard.press("Escape")
        page.wait_for_selector("#rows tr")
        page.click("#mic-stop")
        page.wait_for_selector("#rows tr", state="detached")
        page.wait_for_selector("#ended-rows tr[data-state=alert]")
        served.monitor.wait_for(lambda line: '"call.ended"' in line and "the browser ended it" in line)
        page.close()
    assert complaints == []


@needs_gstreamer
def test_calls_of_taps_on_a_desk_and_on_a_telephone(browser: Browser, tmp_path: Path, complaints: Complaints) -> None:
    turning = write_wav(tmp_path / "turning.wav", turning_call(3, 30, 0))
    human = write_wav(tmp_path / "human.wav", voice(33.0))
    one, other = peers.free_port(), peers.free_port()
    types = settings(f"taps.rtp.payload_types={peers.DYNAMIC}")
    with serving_page(tmp_path, "--rtp", f"127.0.0.1:{one}+{other}", *types) as served:
        senders = [subprocess.Popen(peers.gstreamer(wav, "L16", p)) for wav, p in ((human, one), (turning, other))]
        try:
            desktop, phone = (opened(browser, served, complaints, size) for size in (DESKTOP, PHONE))
            for page in (desktop, phone):
                page.wait_for_selector("#rows tr[data-state=alert]")
                assert "callee" in page.inner_text("#rows td.c-call small")
                assert fits(page)
                page.click("#rows tr")
                page.wait_for_selector("article.channel[data-state=alert]")
                assert page.locator("article.channel").count() == 2
                assert fits(page)
            desktop.click("#back")
            desktop.wait_for_selector("#rows tr")
            assert desktop.get_attribute("#counts .state", "data-state") == "alert"
        finally:
            for process in senders:
                process.kill()
                process.wait()
        phone.wait_for_selector("#over:not([hidden])")
        desktop.wait_for_selector("#ended-rows tr[data-state=alert]")
        for page in (desktop, phone):
            page.close()
    assert complaints == []


def test_a_lost_monitor_is_said_and_found_again(browser: Browser, tmp_path: Path, complaints: Complaints) -> None:
    with serving_page(tmp_path) as served:
        page = opened(browser, served, complaints)
        page.wait_for_selector("#overview:not([hidden])")
        served.monitor.process.send_signal(signal.SIGSTOP)
        page.wait_for_selector("#link.gone")
        assert "No connection to the monitor since" in page.inner_text("#lost")
        assert page.title().startswith("No connection")
        served.monitor.process.send_signal(signal.SIGCONT)
        page.wait_for_selector("#link.live")
        assert not page.is_visible("#lost")
        page.close()


def test_the_token_is_asked_for(browser: Browser, tmp_path: Path, complaints: Complaints) -> None:
    with serving_page(tmp_path, env=environment(MONITOR_WEB__TOKEN=TOKEN)) as served:
        page = complaints.of(browser.new_page(viewport=PHONE))  # type: ignore[arg-type]
        page.goto(served.address)
        page.wait_for_selector("#sign-in:not([hidden])")
        assert not page.is_visible("#overview")
        assert fits(page)
        page.fill("#token", "wrong horse battery")
        page.keyboard.press("Enter")
        page.wait_for_selector("#wrong:not(:empty)")
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#link.live")
        assert not page.is_visible("#sign-in")
        page.reload()
        page.wait_for_selector("#link.live")
        page.close()
    assert [result for result in complaints if "403" not in result] == []


def test_the_guide_names_every_address_and_gives_a_command_that_works(
    browser: Browser, tmp_path: Path, complaints: Complaints
) -> None:
    words = ("--rtp", "127.0.0.1:0", "--rtp", "127.0.0.1:0")
    with serving_page(tmp_path, *words, env=environment()) as served:
        page = opened(browser, served, complaints)
        page.wait_for_selector("#guide .command")
        shown, (command,) = page.inner_text("#guide"), page.locator("#guide .command code").all_inner_texts()
    (named,) = re.findall(r"RTP at (127\.0\.0\.1:\d+), 127\.0\.0\.1:\d+\. ", shown)
    assert command.split() == f"monitor simulate rtp call.wav --to {named}".split()
