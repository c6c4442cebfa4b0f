"""Files to be scored."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from monitor.api.context import ApiContext, Context, Sender, answer
from monitor.api.models import ScoreFacts, ScoreJob, ScoreList
from monitor.api.problems import refuse
from monitor.api.score_jobs import FileScoring
from monitor.api.upload import FIELD, FORM_BYTES, BadFormError, receive_file
from monitor.taps.peer_names import named

router = APIRouter(tags=["scores"])

ScoreId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="`id` of the answer to the upload")]
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {FIELD: {"type": "string", "format": "binary", "description": "the recording"}},
                    "required": [FIELD],
                }
            }
        },
    }
}
HTML: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {}}, "description": "one file, without scripts"}
}
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; sandbox"


@router.post("/scores", response_model=ScoreJob, status_code=202, openapi_extra=FORM, operation_id="post_score")
async def post_score(context: Context, caller: Sender, request: Request) -> Response:
    """Send a recording, or a network capture, to be scored. It is deleted once it was."""
    most = context.config.api.max_upload_mib << 20
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > most + FORM_BYTES:
        raise refuse(413, f"the file is larger than api.max_upload_mib = {most >> 20}")
    job = await asyncio.to_thread(context.scores.begin, caller.name)
    if job is None:
        raise refuse(429, "api.max_scores files are there already: delete one, or wait", retry_after="30")
    try:
        content_type = request.headers.get("content-type", "")
        name = await receive_file(content_type, request.stream(), job.path, most)
        context.scores.submit(job, named(name.replace("\\", "/").rpartition("/")[2], "recording"))
    except BadFormError as error:
        context.scores.remove(job)
        raise refuse(413 if error.too_large else 422, str(error)) from error
    except ClientDisconnect as error:
        context.scores.remove(job)
        raise refuse(400, "the sender went away") from error
    except BaseException:
        context.scores.remove(job)
        raise
    return answer(_described(job), 202, {"location": f"{request.url.path}/{job.id}"})


@router.get("/scores", response_model=ScoreList, operation_id="list_scores")
def list_scores(context: Context, caller: Sender) -> Response:
    """List the files that are kept: with a key those that it sent, else all."""
    jobs = context.scores.jobs()
    shown = [ScoreFacts.model_validate(_facts(job)) for job in jobs if caller.name in ("", job.key)]
    return answer(ScoreList(scores=shown))


@router.get("/scores/{id}", response_model=ScoreJob, operation_id="get_score")
def get_score(context: Context, _: Sender, id: ScoreId) -> Response:
    """Return how far it is; once it is done, the calls in it with their verdicts."""
    return answer(_described(_job(context, id)))


@router.get("/scores/{id}/report", response_class=Response, responses=HTML, operation_id="get_score_report")
def get_report(context: Context, _: Sender, id: ScoreId) -> Response:
    """Return a page about it, to read, print or keep."""
    job = _job(context, id)
    if job.state != "done":
        raise refuse(409, f"there is no report: {job.error or 'it is not done yet'}")
    headers = {"content-security-policy": REPORT_POLICY, "content-disposition": 'attachment; filename="report.html"'}
    try:
        return Response(job.report.read_bytes(), 200, headers, "text/html; charset=utf-8")
    except OSError as error:
        raise refuse(404, "it was just deleted") from error


@router.delete("/scores/{id}", status_code=204, response_class=Response, operation_id="delete_score")
def delete_score(context: Context, _: Sender, id: ScoreId) -> Response:
    """End it, and delete all that there is of it."""
    context.scores.remove(_job(context, id))
    return Response(status_code=204)


def _job(context: ApiContext, identity: str) -> FileScoring:
    found = context.scores.job(identity)
    if found is None:
        raise refuse(404, "there is no such file, or its result was kept long enough (api.keep_scores_s)")
    return found


def _facts(job: FileScoring) -> dict[str, Any]:
    at_s, total_s = job.progress()
    share = 1.0 if job.state == "done" else min(1.0, at_s / total_s) if total_s else 0.0
    known = {"id": job.id, "name": job.name, "state": job.state, "submitted": job.submitted, "error": job.error}
    figures = {"at_s": round(at_s, 2), "total_s": total_s, "progress": round(share, 4)}
    return {**known, **figures, "outcome": job.summary.get("outcome"), "highest_p": job.summary.get("highest_p")}


def _described(job: FileScoring) -> ScoreJob:
    try:
        calls = job.result() if job.state == "done" else []
    except (OSError, ValueError):
        calls = []
    return ScoreJob.model_validate({**_facts(job), "calls": calls})
