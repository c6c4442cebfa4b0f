#!/bin/sh
# A mounted Starlette application, FastAPI's too, is not asked for a path that holds an encoded line feed.
#
# Mount("/api", app) and "{rest:path}" are said to take every path below. Both are matched by the expression ".*", whose
# dot is no line feed: /api/a%0Ab belongs to nobody, and the outer application answers 404 in its own way. What the inner
# one promises (its format of errors, its middleware, its log) does not hold there.
#
# Version: Starlette 1.10.0. Output seen:
#   /api/ab: answered by the mounted application
#   /api/a%0Ab: answered by the outer application
#   /any/a%0Ab: answered by the outer application
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q "$folder/venv"
uv pip install -q --python "$folder/venv/bin/python" starlette==1.10.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import sys
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route


async def inner(scope, receive, send):
    await PlainTextResponse("the mounted application")(scope, receive, send)


async def not_found(request, error):
    return PlainTextResponse("the outer application", 404)


APP = Starlette(
    routes=[Mount("/api", inner), Route("/any/{rest:path}", inner)], exception_handlers={404: not_found}
)


async def ask(path):
    said = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        said.append(message.get("body", b"").decode())

    scope = {"type": "http", "method": "GET", "path": unquote(path), "raw_path": path.encode(), "headers": []}
    await APP(scope | {"query_string": b"", "root_path": ""}, receive, send)
    print(f"{path}: answered by {''.join(said)}")
    return "outer" in "".join(said)


sys.exit([asyncio.run(ask(path)) for path in ("/api/ab", "/api/a%0Ab", "/any/a%0Ab")] != [False, True, True])
PYTHON
