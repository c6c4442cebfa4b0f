"""Who may ask the page for what, judged by the headers of a request."""

from __future__ import annotations

import pytest

from monitor.config.allowed_hosts import is_allowed_host
from monitor.web.guard import COOKIE, PageAccess, is_same_origin

TOKEN = "correct horse battery"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]", "192.0.2.7", "Monitor.Example:443"]
)
def test_names_of_this_server(host: str) -> None:
    assert is_allowed_host(host, ["monitor.example"])


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example:80", "monitor"]
)
def test_names_that_an_attacker_may_have_led_here(host: str) -> None:
    assert not is_allowed_host(host, ["monitor.example"])


HOST = {"host": "127.0.0.1:8000"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "https://127.0.0.1:8000", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"},
    ],
)
def test_requests_of_its_own_page_and_of_programs(headers: dict[str, str]) -> None:
    assert is_same_origin(HOST | headers, navigates=False)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "http://127.0.0.1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_requests_of_other_sites(headers: dict[str, str]) -> None:
    assert not is_same_origin(HOST | headers, navigates=False)


def test_a_link_may_lead_to_the_page() -> None:
    assert is_same_origin(HOST | {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, navigates=True)
    assert not is_same_origin(HOST | {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, navigates=True)


def test_without_a_token_everybody_is_let_in() -> None:
    assert PageAccess("").admits({})


def test_the_token_or_the_session_lets_in() -> None:
    door = PageAccess(TOKEN)
    assert door.admits({"authorization": f"Bearer {TOKEN}"})
    assert door.admits({"cookie": f"other=1; {COOKIE}={door.session}"})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": TOKEN},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"cookie": f"{COOKIE}={TOKEN}"},
        {"cookie": f"{COOKIE}="},
        {"cookie": COOKIE},
        {"cookie": f"{COOKIE}=\u00e9"},
    ],
)
def test_nothing_else_does(headers: dict[str, str]) -> None:
    assert not PageAccess(TOKEN).admits(headers)


def test_sessions_end_with_the_run() -> None:
    assert PageAccess(TOKEN).session != PageAccess(TOKEN).session
