"""Errors as problem details (RFC 9457, application/problem+json)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """A problem, as an answer has it."""

    title: str = Field(description="the status in words")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="what is wrong, and what to do")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that says what is wrong."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have every error answered so."""

    @app.exception_handler(StarletteHTTPException)
    async def of_http(_: Request, error: StarletteHTTPException) -> Response:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def of_request(_: Request, error: RequestValidationError) -> Response:
        return problem(422, "; ".join(_described(fault) for fault in error.errors()[:5]))


def _described(fault: Mapping[str, object]) -> str:
    place = fault.get("loc")
    parts = [str(part) for part in place] if isinstance(place, list | tuple) else []
    return f"{' '.join(parts)}: {fault.get('msg')}"


def refuse(status: int, detail: str, **headers: str) -> HTTPException:
    """Return what to raise."""
    return HTTPException(status, detail, {name.replace("_", "-"): value for name, value in headers.items()} or None)
