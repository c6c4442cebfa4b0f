"""Expands groups of options: a command of monitor or training takes a dataclass of options as one parameter."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give typer the options of a group, one parameter each, where `command` takes the group as one parameter."""
    signature = inspect.signature(command, eval_str=True)
    (parameter,) = [p for p in signature.parameters.values() if is_dataclass(p.annotation)]
    name, group = parameter.name, parameter.annotation

    @functools.wraps(command)
    def run(**given: object) -> None:
        values = {field.name: given.pop(field.name) for field in fields(group)}
        command(**given, **{name: group(**values)})

    parameters = list(_expanded(signature, name, group))
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _expanded(signature: inspect.Signature, name: str, group: Any) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for parameter in signature.parameters.values():
        if parameter.name != name:
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            continue
        for field in fields(group):
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            yield inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name]
            )


def from_options(kind: type[T], options: object, **others: Any) -> T:
    """Make a dataclass of the options that have the names of its fields, and of `others`."""
    named = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**({name: value for name, value in vars(options).items() if name in named} | others))
