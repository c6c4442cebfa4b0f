"""The alert threshold from alarms that people called false or confirmed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from call_events import EPOCH, event, keep_evidence, write_journal
from helpers import assert_one_error, make_weights, run_here, voice

from monitor.config.schema import AlertSection
from monitor.session.marked_alerts import read_marked
from monitor.types import Event


def an_alert(call: str, peak: float, speech_s: float = 900.0) -> list[Event]:
    """A call with one alert."""
    alert = {"alert": f"{call}/caller/1", "opened_s": 5.0, "peak_llr": peak, "p_fake": 0.9, "why": ""}
    last = {"caller": {"net_speech_s": speech_s}}
    return [
        event("call.started", call=call, channels=["caller"], source="rtp"),
        event("alert.opened", 5.0, call=call, **alert),
        event("alert.closed", 9.0, call=call, **alert),
        event("call.ended", speech_s, call=call, why="hung up", channels=last),
    ]


def mark(call: str, kind: str, alert: str | None = None) -> Event:
    about = {} if alert is None else {"alert": alert}
    texts = {"mark": f"m{call}{kind}", "note": "", "by": "Ann", "key": "", "of_epoch": EPOCH}
    return event("call.marked", 9.0, call=call, epoch="later", kind=kind, **texts, **about)


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """An hour of speech: two false alarms, one that was confirmed in the end, one that nobody judged."""
    calls = [*an_alert("a", 3.5), *an_alert("b", 4.4), *an_alert("c", 5.0), *an_alert("d", 6.0)]
    marks = [mark("a", "false_alarm"), mark("b", "confirmed"), mark("b", "false_alarm", "b/caller/1")]
    marks += [mark("c", "false_alarm"), mark("c", "confirmed"), mark("c", "note"), mark("gone", "confirmed")]
    write_journal(tmp_path / "journal", [*calls, *marks])
    keep_evidence(tmp_path / "evidence", "c", np.concatenate([voice(4.0), voice(8.0, hiss=True)]))
    return tmp_path


def test_the_newest_mark_of_an_alert_or_its_call_counts(installation: Path) -> None:
    found = read_marked([installation / "journal"], [installation / "evidence"])
    assert {alert.alert: alert.verdict for alert in found.alerts} == {
        "a/caller/1": "false_alarm",
        "b/caller/1": "false_alarm",
        "c/caller/1": "confirmed",
    }
    assert (found.unmarked, found.speech_s) == (1, 3600.0)
    assert [alert.audio is not None for alert in found.alerts] == [False, False, True]


@pytest.mark.parametrize(("per_hour", "threshold"), [("2", AlertSection().alert_llr), ("1", 3.55), ("0.5", 4.45)])
def test_the_threshold_leaves_as_few_false_alarms_as_are_wanted(
    installation: Path, capsys: pytest.CaptureFixture[str], per_hour: str, threshold: float
) -> None:
    weights = make_weights(installation / "w.safetensors")
    words = ("calibrate", "--marks", installation / "journal", "--evidence", installation / "evidence")
    more = ("--weights", weights, "--out", installation / "own.toml", "--clips", installation / "clips")
    done = run_here(capsys, *map(str, (*words, *more)), "--target-false-alarms-per-hour", per_hour)
    assert done.status == 0, done.err
    assert tomllib.loads((installation / "own.toml").read_text())["alerts"]["alert_llr"] == threshold
    assert "1 of 1 confirmed ones still open" in done.out
    assert "1 of 3 scored anew" in done.out
    assert len(list((installation / "clips" / "fake").iterdir())) == 1
    assert not list((installation / "clips" / "real").iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what to learn from"),
        (("--marks", "journal", "--genuine", "x"), "say what to learn from"),
        (("--genuine", ".", "--clips", "x"), "go with --marks"),
        (("--marks", "none"), "there is no journal"),
        (("--marks", "journal", "--evidence", "none"), "there is no folder"),
        (("--marks", "unmarked"), "none of 1 alerts is marked"),
    ],
)
def test_what_cannot_be_calibrated_on_is_one_error(
    installation: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
) -> None:
    write_journal(installation / "unmarked", an_alert("a", 3.5))
    monkeypatch.chdir(installation)
    assert_one_error(run_here(capsys, "calibrate", *words), said)
