"""Secrets in the settings: where they come from, and that nothing prints them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from monitor.config import load as settings_module
from monitor.config.load import load_settings, parse_assignment
from monitor.config.section import Secret, Section, holds_secret, is_masked, shown
from monitor.errors import ConfigError

HIDDEN = "hunter2-never-shown"


class _Peer(Section):
    secret: Secret = Secret("")
    keys: dict[str, Secret] = Field({})


class _Config(Section):
    peer: _Peer = _Peer()


@pytest.fixture(autouse=True)
def _small_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings_module, "Config", _Config)
    monkeypatch.chdir(tmp_path)


def test_a_secret_is_the_text_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(f"{HIDDEN}\n")
    monkeypatch.setenv("PEER_KEY", HIDDEN)
    assert Secret(HIDDEN).reveal() == HIDDEN
    assert Secret("file:key").reveal() == HIDDEN
    assert Secret("env:PEER_KEY").reveal() == HIDDEN
    assert Secret("").reveal() == ""


@pytest.mark.parametrize("place", ["env:NOT_SET_ANYWHERE", "file:not-there", "file:."])
def test_a_secret_that_is_not_there_is_one_clear_error(place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Secret(place).reveal()
    assert place.partition(":")[2] in caught.value.message
    assert caught.value.hint


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigError, match="no secret"):
        Secret("file:empty").reveal()


def test_settings_are_shown_without_their_secrets() -> None:
    file = Path("mine.toml")
    file.write_text(f'[peer]\nsecret = "{HIDDEN}"\nkeys = {{ one = "{HIDDEN}", two = "env:TWO" }}\n')
    settings = load_settings(file, {})
    rows = list(settings.rows())
    assert HIDDEN not in json.dumps(rows)
    assert HIDDEN not in repr(settings)
    assert ("peer.keys", {"one": "********", "two": "env:TWO"}, "mine.toml") in rows
    assert shown(Secret("")) == ""
    assert (shown(SecretStr(HIDDEN)), shown(SecretStr(""))) == ("********", "")


@pytest.mark.parametrize("text", ["0123", "1e5", "true", '"quoted"', "2024-01-01"])
def test_a_secret_from_the_environment_is_text_whatever_it_looks_like(text: str) -> None:
    settings = load_settings(None, {"MONITOR_PEER__SECRET": text})
    peer = dict(settings.config.settings())["peer.secret"]
    assert isinstance(peer, Secret)
    assert peer.reveal() == text.strip('"')
    assert parse_assignment(f"peer.secret={text}") == ("peer.secret", text.strip('"'))


@pytest.mark.parametrize("toml", ["secret = {value}", "keys = {{ one = {value} }}", "keys = {value}"])
def test_no_error_prints_a_secret(toml: str) -> None:
    Path("bad.toml").write_text("[peer]\n" + toml.format(value="7390517"))
    with pytest.raises(ConfigError) as caught:
        load_settings(Path("bad.toml"), {})
    assert "7390517" not in caught.value.message + caught.value.hint
    assert "bad.toml" in caught.value.message


def test_stars_are_known_for_what_they_are() -> None:
    assert is_masked(shown({"one": Secret(HIDDEN)}))
    assert is_masked([shown(Secret(HIDDEN))])
    assert not is_masked(shown({"one": Secret("env:ONE"), "two": Secret("")}))
    with pytest.raises(ConfigError, match="mask of a hidden secret"):
        Secret("********").reveal()


def test_what_holds_a_secret() -> None:
    assert holds_secret(Secret)
    assert holds_secret(SecretStr)
    assert holds_secret(dict[str, Secret])
    assert holds_secret(list[Secret] | None)
    assert not holds_secret(dict[str, str])
