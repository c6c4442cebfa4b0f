"""The JSON Schemas (draft 2020-12) that come with the program, and how they are made of the models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from monitor.errors import BadInputError

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = "v1"
SOURCE = "/deepfake-speech-monitor"
"""The source in CloudEvents, unless publish.source says otherwise: a URI-reference."""
NAMES = (
    "alert.closed",
    "alert.opened",
    "alert.updated",
    "call.ended",
    "call.marked",
    "call.started",
    "cloudevent",
    "health",
    "score",
    "state.changed",
)


def schema_id(name: str) -> str:
    """Return the URN that names a schema, which is also the dataschema of a CloudEvent; no network is needed for it."""
    return f"urn:deepfake-speech-monitor:schema:{FOLDER}:{name}"


def text_of(name: str) -> str:
    """Return the file of a schema, as it ships. Raises BadInputError for a name that is none."""
    if name not in NAMES:
        raise BadInputError(f"there is no schema {name}", f"the schemas are {', '.join(NAMES)}")
    return (resources.files("monitor.events.schema") / FOLDER / f"{name}.json").read_text(encoding="utf-8")


def read(name: str) -> Mapping[str, Any]:
    """Return a schema as it ships."""
    found: Mapping[str, Any] = json.loads(text_of(name))
    return found


def generate() -> dict[str, str]:
    """Return every schema of this version as the text of its file, by name."""
    from monitor.events.schema.event_models import SCHEMAS

    return {name: _text(name, model.model_json_schema()) for name, model in sorted(SCHEMAS.items())}


def _text(name: str, schema: dict[str, Any]) -> str:
    del schema["title"]
    head = {"$schema": DIALECT, "$id": schema_id(name), "title": name}
    return json.dumps(head | _tidy(schema), indent=2, ensure_ascii=False) + "\n"


def _tidy(schema: Any) -> Any:
    """Remove titles that only repeat a name, and make optional fields absent instead of null."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: _tidy(value) for key, value in schema.items() if key != "title" or isinstance(value, dict)}
    if out.get("default", 0) is None and "anyOf" in out:
        del out["default"]
        out |= next(kind for kind in out.pop("anyOf") if kind != {"type": "null"})
    return out
