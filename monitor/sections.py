"""What every section of the configuration is: frozen, and with no key that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A table of the configuration; its fields are settings, or sections again."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def section(cls, name: str) -> type[Section] | None:
        """The section within this one that has that name."""
        field = cls.model_fields.get(name)
        kind = field.annotation if field is not None else None
        return kind if isinstance(kind, type) and issubclass(kind, Section) else None

    def settings(self, prefix: str = "") -> Iterator[tuple[str, object]]:
        """(dotted key, value) of every setting, in the order of the file."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section):
                yield from value.settings(f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value
