"""The base of every section of the configuration: frozen, and without unknown keys."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from monitor.errors import ConfigError

Positive = Annotated[float, Field(gt=0)]
MASK = "********"
SHORTEST_TOKEN = 16


class Secret(SecretStr):
    """A password or key: `file:PATH`, `env:NAME`, or the text itself; "" = none. Nothing prints it, no error either."""

    @property
    def shown(self) -> str:
        """Return where the secret is stored, or stars."""
        text = self.get_secret_value()
        return text if text.startswith(("file:", "env:")) or not text else MASK

    def reveal(self) -> str:
        """Return the secret itself, without the line end of its file. Raises ConfigError for one that is not there."""
        text = self.get_secret_value()
        if text == MASK:
            raise ConfigError(f"{MASK} is the mask of a hidden secret", "write file:PATH or env:NAME in its place")
        kind, _, place = text.partition(":")
        if kind == "env":
            found = os.environ.get(place, "")
        elif kind == "file":
            found = _of_file(place)
        else:
            return text
        if not found:
            raise ConfigError(f"there is no secret in {text}", "a secret is file:PATH, env:NAME or the text itself")
        return found

    def reveal_token(self, setting: str) -> str:
        """Return the secret where it is long enough to let somebody in. Raises ConfigError."""
        token = self.reveal()
        if len(token) < SHORTEST_TOKEN:
            raise ConfigError(f"{setting} is too short to be a secret", f"use {SHORTEST_TOKEN} characters or more")
        return token


class SecretUrl(Secret):
    """A URL whose path or query may be a secret, as those of webhooks are: scheme and host alone are shown."""

    @property
    def shown(self) -> str:
        """Return where it is stored, or scheme and host."""
        text = self.get_secret_value()
        return text if text.startswith(("file:", "env:")) or not text else place_of(text)

    def reveal(self) -> str:
        """Return the URL itself. Raises ConfigError for one that is not there, or was not shown."""
        if self.get_secret_value().endswith(MASK):
            raise ConfigError(f"{MASK} is the mask of a hidden secret", "write file:PATH or env:NAME in its place")
        return super().reveal()


def place_of(url: str) -> str:
    """Return scheme and host of a URL; stars stand for what follows."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    rest = f"/{MASK}" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "") + rest


def _of_file(place: str) -> str:
    try:
        return Path(place).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ConfigError(f"cannot read the secret in {place}: {reason}", "check the path after file:") from error


def shown(value: object) -> object:
    """Return a setting as it may be printed."""
    if isinstance(value, SecretStr):
        return value.shown if isinstance(value, Secret) else MASK * bool(value)
    if isinstance(value, Section):
        return {name: shown(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, (list, tuple)) else value


def is_masked(value: object) -> bool:
    """Return whether shown() has put stars into it."""
    if isinstance(value, Mapping):
        return any(map(is_masked, value.values()))
    return any(map(is_masked, value)) if isinstance(value, (list, tuple)) else value == MASK


def holds_secret(annotation: object) -> bool:
    """Return whether a Secret, or pydantic's own SecretStr, stands anywhere in the type of a setting."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return any(holds_secret(field.annotation) for field in annotation.model_fields.values())
    return is_secret(annotation) or any(holds_secret(part) for part in get_args(annotation))


def is_secret(annotation: object) -> bool:
    """Return whether the type of a setting is that of a secret."""
    return isinstance(annotation, type) and issubclass(annotation, SecretStr)


class Section(BaseModel):
    """A table of the configuration; its fields are settings, or sections again."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def section(cls, name: str) -> type[Section] | None:
        """Return the section within this one that has that name."""
        field = cls.model_fields.get(name)
        kind = field.annotation if field is not None else None
        return kind if isinstance(kind, type) and issubclass(kind, Section) else None

    def settings(self, prefix: str = "") -> Iterator[tuple[str, object]]:
        """Yield (dotted key, value) of every setting, in the order of the file."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section):
                yield from value.settings(f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value
