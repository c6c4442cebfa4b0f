"""What of a change to a schema would break its readers or the events written before. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
EXACT = ("type", "const", "pattern", "format", "unit")


def breaking(old: Schema, new: Schema) -> list[str]:
    """Return each in words. No break: a new optional field, a wider range, a new word of an enumeration, other
    texts."""
    return list(_breaks(_resolved(old, old), _resolved(new, new), ""))


def _breaks(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for key in EXACT:
        if old.get(key) != new.get(key):
            yield f"{at or '/'}: {key} was {old.get(key)!r} and is {new.get(key)!r}"
    yield from _narrowed(old, new, at)
    if lost := [value for value in old.get("enum", []) if value not in new.get("enum", [])]:
        yield f"{at}: no longer {lost}"
    if "enum" in new and "enum" not in old:
        yield f"{at}: only {new['enum']} is left"
    for name in sorted(set(old.get("required", [])) ^ set(new.get("required", []))):
        yield f"{at}/{name}: {'no longer' if name in old.get('required', []) else 'now'} required"
    for name, field in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{at}/{name}: removed"
        else:
            yield from _breaks(field, new["properties"][name], f"{at}/{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(old.get(key), Mapping) or isinstance(new.get(key), Mapping):
            yield from _breaks(_part(old, key), _part(new, key), f"{at}/*")


def _part(schema: Schema, key: str) -> Schema:
    part = schema.get(key)
    return part if isinstance(part, Mapping) else {}


def _narrowed(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for key in LOWER:
        if key in new and new[key] > old.get(key, float("-inf")):
            yield f"{at}: {key} rose to {new[key]}"
    for key in UPPER:
        if key in new and new[key] < old.get(key, float("inf")):
            yield f"{at}: {key} fell to {new[key]}"


def _resolved(schema: Any, root: Schema) -> Any:
    """Replace every reference by what it refers to; no schema here refers to itself."""
    if isinstance(schema, list):
        return [_resolved(item, root) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = dict(schema)
    if reference := found.pop("$ref", None):
        found = dict(root["$defs"][reference.rpartition("/")[2]]) | found
    found.pop("$defs", None)
    return {key: _resolved(value, root) for key, value in found.items()}
