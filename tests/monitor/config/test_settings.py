"""Settings come from layers, are judged as a whole, and a fault names its key and its layer."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from monitor.config.load import Settings, load_settings, parse, parse_assignment
from monitor.config.schema import Config
from monitor.errors import ConfigError

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def toml(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refused(*arguments: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings(*arguments)  # type: ignore[arg-type]
    assert caught.value.hint
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    return caught.value


def origin(settings: Settings, key: str) -> tuple[object, str]:
    return next((value, where) for name, value, where in settings.rows() if name == key)


def test_without_any_layer_all_is_default() -> None:
    settings = load_settings(None, {})
    assert settings.config == Config()
    assert {where for _, _, where in settings.rows()} == {"default"}


def test_later_layers_win_and_each_value_knows_its_own(tmp_path: Path) -> None:
    file = toml(tmp_path, "[alerts]\nalert_llr = 3\nalert_hold_s = 2.0\nclose_hold_s = 7\n")
    environment = {"MONITOR_ALERTS__ALERT_HOLD_S": "1.5", "MONITOR_ALERTS__CLOSE_HOLD_S": "8", "HOME": "/"}
    settings = load_settings(file, environment, [("--set", "alerts.close_hold_s", 9)])
    assert origin(settings, "alerts.suspicious_llr") == (1.4, "default")
    assert origin(settings, "alerts.alert_llr") == (3.0, str(file))
    assert origin(settings, "alerts.alert_hold_s") == (1.5, "environment variable MONITOR_ALERTS__ALERT_HOLD_S")
    assert origin(settings, "alerts.close_hold_s") == (9.0, "option --set")


def test_the_last_of_several_options_wins() -> None:
    settings = load_settings(
        None, {}, [("--set", "zeromq.address", "ipc://a"), ("--publish", "zeromq.address", "ipc://b")]
    )
    assert origin(settings, "zeromq.address") == ("ipc://b", "option --publish")


def test_which_file_is_read(tmp_path: Path) -> None:
    toml(tmp_path, "[evidence]\nprior = 0.1\n", "config.toml")
    other = toml(tmp_path, "[evidence]\nprior = 0.2\n", "other.toml")
    third = toml(tmp_path, "[evidence]\nprior = 0.3\n", "third.toml")
    assert load_settings(None, {}).config.evidence.prior == 0.1
    assert load_settings(None, {"MONITOR_CONFIG": str(other)}).config.evidence.prior == 0.2
    assert load_settings(third, {"MONITOR_CONFIG": str(other)}).config.evidence.prior == 0.3


def test_the_file_that_comes_along_lists_every_setting_with_its_default() -> None:
    settings = load_settings(ROOT / "config.toml", {})
    assert settings.config == Config()
    listed = tomllib.loads((ROOT / "config.toml").read_text())
    assert {s: set(values) for s, values in listed.items()} == {s: set(v) for s, v in Config().model_dump().items()}


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("alerts.alert_lr", 3, "alerts.alert_llr"),
        ("alerts.alert_hold_ms", 1000, "alerts.alert_hold_s"),
        ("input.stall_s", 0.5, "input.stall_ms"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(key: str, value: object, hint: str) -> None:
    error = refused(None, {}, [("--set", key, value)])
    assert error.message == f"there is no setting {key} (option --set)"
    assert f"did you mean {hint}?" in error.hint


def test_an_unknown_section_is_named_with_its_file(tmp_path: Path) -> None:
    file = toml(tmp_path, "[alert]\nalert_llr = 3\n")
    error = refused(file, {})
    assert error.message == f"there is no section [alert] ({file})"
    assert "did you mean alerts?" in error.hint


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("alerts.alert_llr", "high", "valid number"),
        ("alerts.alert_llr", "3", "valid number"),
        ("zeromq.enabled", "false", "valid boolean"),
        ("zeromq.enabled", 1, "valid boolean"),
        ("input.stall_ms", 0.5, "valid integer"),
        ("journal.path", 2024, "valid string"),
        ("dashboard.mode", "big", "'auto', 'full', 'line', 'plain' or 'off'"),
        ("model.device", "tpu", "'cuda'"),
    ],
)
def test_a_value_of_the_wrong_kind(key: str, value: object, why: str) -> None:
    error = refused(None, {}, [("--set", key, value)])
    assert error.message.startswith(f"{key} = {value!r} (option --set): ")
    assert why in error.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("evidence.min_speech_s", 2000),
        ("input.ring_s", 4000.0),
        ("input.stall_ms", 1),
        ("dashboard.redraws_per_second", 100.0),
        ("evidence.prior", 50),
        ("evidence.prior", 0),
        ("publish.score_interval_ms", 50),
        ("alerts.close_hold_s", float("inf")),
        ("alerts.close_hold_s", -1),
        ("alerts.alert_llr", float("nan")),
        ("zeromq.high_water_mark", 2**40),
    ],
)
def test_a_value_in_another_unit_or_beyond_reason(key: str, value: object) -> None:
    assert refused(None, {}, [("--set", key, value)]).message.startswith(f"{key} = {value!r} (option --set): ")


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"alerts.close_llr": 2}, "alerts (option --set): close_llr <= suspicious_llr <= alert_llr must hold"),
        ({"input.reconnect_first_s": 9}, "input (option --set): reconnect_first_s must not exceed reconnect_longest_s"),
        (
            {"alerts.alert_llr": 9},
            "(option --set): alerts.alert_llr must not exceed evidence.max_llr: no alert could ever open",
        ),
    ],
)
def test_a_pair_that_cannot_go_together(pairs: dict[str, object], message: str) -> None:
    assert refused(None, {}, [("--set", key, value) for key, value in pairs.items()]).message == message


def test_a_pair_from_two_layers_names_both(tmp_path: Path) -> None:
    file = toml(tmp_path, "[alerts]\nclose_llr = 2\nclose_hold_s = 4\n")
    error = refused(file, {}, [("--set", "alerts.suspicious_llr", 1.5)])
    assert f"({file}, option --set)" in error.message


def test_the_environment_is_named_by_its_variable() -> None:
    error = refused(None, {"MONITOR_ALERTS__ALERT_LR": "3"})
    assert error.message == "there is no setting alerts.alert_lr (environment variable MONITOR_ALERTS__ALERT_LR)"
    for name in ("MONITOR__NOSUCH", "MONITOR_ALERTS__", "MONITOR_"):
        assert "MONITOR_SECTION__KEY" in str(refused(None, {name: "1"}).hint)
    assert "MONITOR_EVIDENCE__PRIOR" in refused(None, {"MONITOR_EVIDENCE__PRIOR": "half"}).message


def test_other_variables_are_nobodys_business() -> None:
    assert load_settings(None, {"MONITOR_HOST": "x", "MONITORING__PRIOR": "1"}).config == Config()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"prior = 0.5\n", "prior in"),
        (b"[evidence\n", "is not TOML"),
        (b"[evidence]\nprior = 0.5\nprior = 0.6\n", "is not TOML"),
        (b"\xff\xfe\x00", "is not text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    error = refused(tmp_path / "bad.toml", {})
    assert message in error.message
    assert "bad.toml" in error.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.toml", {}).message
    assert "none.toml" in refused(None, {"MONITOR_CONFIG": str(tmp_path / "none.toml")}).message
    assert "directory" in refused(tmp_path, {}).message


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("2.5", 2.5), ("true", True), ("a.wav", "a.wav"), ('"3"', "3"), ("tcp://*:1", "tcp://*:1"), ("", "")],
)
def test_values_are_read_as_toml_and_else_are_text(text: str, value: object) -> None:
    assert parse(text) == value
    assert parse_assignment(f"a.b={text}") == ("a.b", value)


@pytest.mark.parametrize("text", ["alerts.alert_llr", "alert_llr=3", "=3", ""])
def test_an_assignment_needs_a_key_and_a_value(text: str) -> None:
    with pytest.raises(ConfigError, match=r"SECTION\.KEY=VALUE"):
        parse_assignment(text)
