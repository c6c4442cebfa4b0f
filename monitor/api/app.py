"""The API as one application, to be mounted under /api/v1 of the page's listener."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from monitor.api import call_routes, evidence_routes, mark_routes, score_routes, stream_routes
from monitor.api.body_limit import BodyLimit
from monitor.api.context import ApiContext, Context, Viewer, answer
from monitor.api.models import Health
from monitor.api.problems import MEDIA_TYPE, Problem, install

PREFIX = "/api/v1"
VERSION = "1.0.0"
"""The version of the API; its first number is that of the path."""
DESCRIPTION = """\
Calls that the monitor watches and those that ended a while ago, their verdicts, segments and evidence; marks of people;
files and streams to be scored. Evidence for or against synthetic speech, never proof.
"""


def make_api(context: ApiContext) -> FastAPI:
    """Return the application. It trusts its caller, the guard of the page, to have checked who asks."""
    app = FastAPI(
        title="Deepfake speech monitor",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        servers=[{"url": PREFIX}],
        root_path_in_servers=False,
        responses={
            "default": {"description": "What went wrong (RFC 9457)", "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
        },
    )
    app.state.context = context
    app.add_middleware(BodyLimit)
    install(app)
    app.get("/health", response_model=Health, operation_id="get_health", tags=["health"])(get_health)
    for part in (call_routes, evidence_routes, mark_routes, score_routes, stream_routes):
        app.include_router(part.router)
    app.openapi = lambda: described(app)  # type: ignore[method-assign]
    return app


PROBLEM = {"$ref": "#/components/schemas/Problem"}


def described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description; what FastAPI says of its own errors gives way to problem details."""
    if app.openapi_schema is None:
        made = FastAPI.openapi(app)
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"key": []}, {}]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path in made["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        app.openapi_schema = made
    return app.openapi_schema


def get_health(context: Context, caller: Viewer) -> Response:
    """Say how the monitor is, and what the caller may do."""
    found = context.heartbeat_figures().get("faults")
    faults = [str(fault) for fault in found] if isinstance(found, list) else []
    with context.calls.locked():
        running = sum(call.ended is None for call in context.calls.calls())
    return answer(
        Health(
            status="degraded" if faults else "ok",
            version=version("deepfake-speech-monitor"),
            epoch=context.calls.epoch,
            calls=running,
            faults=faults,
            roles=sorted(caller.roles),
            streams=context.streams is not None,
            weights=context.weights[:12],
        )
    )
