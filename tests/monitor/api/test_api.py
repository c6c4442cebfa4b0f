"""The API as programs meet it: who may do what, what is marked, what is kept."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from call_events import EPOCH, a_call, keep_evidence, write_journal
from helpers import environment, settings, voice
from web_server import Served, serving_page
from websockets.exceptions import InvalidStatus

from monitor.call_history.kept_call import call_id

pytestmark = pytest.mark.realtime

TOKEN, CRM, RECORDER = "correct horse battery", "the secret of the crm", "the secret of a recorder"
KNOWN = call_id(EPOCH, "a")
KEYS = (
    "api.keys=[{name='crm',roles=['view','mark'],secret='env:CRM'},{name='recorder',roles=['send'],secret='env:REC'}]",
    "api.requests_per_s=0.001",
    "api.requests_at_once=40",
)
JSON = {"Content_Type": "application/json"}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    write_journal(folder / "journal", list(a_call()))
    keep_evidence(folder / "evidence", "a", voice(4.0))
    (folder / "evidence" / "no evidence").mkdir()
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    env = environment(MONITOR_WEB__TOKEN=TOKEN, CRM=CRM, REC=RECORDER)
    with serving_page(folder, "--journal", "journal", "--evidence", "evidence", *settings(*KEYS), env=env) as page:
        for _ in range(20):  # the journal is read beside the start
            if ask(page, "/calls")[1]["calls"]:
                break
            time.sleep(0.5)
        yield page


def ask(served: Served, path: str, secret: str = TOKEN, **more: Any) -> tuple[int, Any]:
    """Status and JSON."""
    status, headers, body = served.request(f"/api/v1{path}", **bearer(secret), **more)
    assert headers["content-type"] in ("application/json", "application/problem+json")
    return status, json.loads(body)


@pytest.mark.parametrize(
    ("secret", "status"), [(TOKEN, 200), (CRM, 200), (RECORDER, 403), ("another secret", 401), ("", 401)]
)
def test_each_key_sees_what_its_roles_allow(served: Served, secret: str, status: int) -> None:
    found, result = ask(served, "/calls", secret)
    assert found == status
    if status == 200:
        assert [call["id"] for call in result["calls"]] == [KNOWN]
    else:
        assert result["status"] == status


def test_a_key_opens_the_api_alone(served: Served) -> None:
    assert served.request("/api/v1/health", **bearer(CRM))[0] == 200
    with pytest.raises(InvalidStatus, match="401"):
        served.socket("/live", **bearer(CRM))
    with pytest.raises(InvalidStatus, match="403"):
        served.socket("/api/v1/streams", **bearer(CRM))
    with pytest.raises(InvalidStatus, match="422"):
        served.socket("/api/v1/streams?rate=1", **bearer(RECORDER))


def test_other_sites_get_nothing(served: Served) -> None:
    assert ask(served, "/calls", Origin="http://evil.example")[0] == 403
    assert ask(served, "/calls", Host="evil.example")[0] == 421


def test_bodies_are_bounded(served: Served) -> None:
    path, mark = f"/calls/{KNOWN}/marks", json.dumps({"kind": "note", "note": "x" * 70_000})
    assert ask(served, path, method="POST", body=mark, **JSON)[0] == 413
    assert ask(served, path, method="POST", body=mark[:1000], **JSON)[0] == 422
    status, result = ask(served, path, method="POST", body=json.dumps({"kind": "boss"}), **JSON)
    assert (status, "kind" in result["detail"]) == (422, True)


def test_evidence_is_heard_in_parts(served: Served) -> None:
    _, call = ask(served, f"/calls/{KNOWN}")
    (evidence,) = call["evidence"]
    place = f"/api/v1/calls/{KNOWN}/evidence/{evidence['id']}"
    status, headers, whole = served.request(f"{place}/audio", **bearer(TOKEN))
    assert (status, headers["content-type"], headers["accept-ranges"]) == (200, "audio/wav", "bytes")
    samples, rate = soundfile.read(io.BytesIO(whole))
    assert (len(samples), rate) == (4 * 16_000, 16_000)
    status, headers, part = served.request(f"{place}/audio", Range="bytes=100-199", **bearer(TOKEN))
    assert (status, part) == (206, whole[100:200])
    assert headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert ask(served, f"{place.removeprefix('/api/v1')}/audio", Range="bytes=999999999-")[0] == 416
    assert ask(served, f"{place.removeprefix('/api/v1')}/spectrogram")[0] == 404
    assert ask(served, f"/calls/{KNOWN}/evidence/{'0' * 20}/audio")[0] == 404


def test_a_mark_is_an_event_and_outlives_the_run(served: Served, folder: Path) -> None:
    new = {"kind": "false_alarm", "note": "it was Bob", "by": "Ann", "alert": "a/caller/1"}
    status, mark = ask(served, f"/calls/{KNOWN}/marks", CRM, method="POST", body=json.dumps(new), **JSON)
    assert (status, mark["key"], mark["by"]) == (201, "crm", "Ann")
    event = json.loads(served.monitor.wait_for(lambda line: '"call.marked"' in line))
    assert (event["mark"], event["of_epoch"], event["call"]) == (mark["id"], EPOCH, "a")
    _, call = ask(served, f"/calls/{KNOWN}")
    assert ([m["id"] for m in call["marks"]], call["alerts"][0]["verdict"]) == ([mark["id"]], "false_alarm")
    assert (
        ask(served, f"/calls/{KNOWN}/marks", CRM, method="POST", body=json.dumps(new | {"alert": "b"}), **JSON)[0]
        == 404
    )
    assert any('"call.marked"' in line for line in (folder / "journal").read_text().splitlines())


def test_a_key_lists_the_files_that_it_sent_and_the_page_all(served: Served) -> None:
    form = {"method": "POST", "Content_Type": "multipart/form-data; boundary=x"}
    for secret, name in ((RECORDER, "first.wav"), (TOKEN, "second.wav")):
        part = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\nno audio\r\n--x--\r\n'
        assert ask(served, "/scores", secret, body=part, **form)[0] == 202
    for secret, names in ((RECORDER, ["first.wav"]), (TOKEN, ["second.wav", "first.wav"])):
        status, listed = ask(served, "/scores", secret)
        assert status == 200, listed
        assert [score["name"] for score in listed["scores"]] == names
    assert ask(served, "/scores", CRM)[0] == 403


def test_who_asks_too_often_waits(served: Served) -> None:
    answers = [served.request("/api/v1/health", **bearer(CRM)) for _ in range(50)]
    status, headers, body = answers[-1]
    assert (status, headers["retry-after"]) == (429, "1")
    assert json.loads(body)["title"] == "Too Many Requests"
    assert ask(served, "/health")[0] == 200
