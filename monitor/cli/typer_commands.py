"""How typer runs the commands of monitor and training: plain help, groups of options, errors in two lines."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import typer
from typer.core import TyperCommand

T = TypeVar("T")


class PlainCommand(TyperCommand):
    """A command whose help shows `--corpus CORPUS` and FILE, where typer shows `--corpus <list[Path]>` and {FILE}."""

    def get_params(self, ctx: Any) -> list[Any]:
        found: list[Any] = [*super().get_params(ctx)]
        for parameter in found:
            if parameter.metavar is None and not parameter.type_descriptor.is_choice:
                parameter.metavar = (parameter.name or "").upper()
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = lambda **_: None
        return found

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]


def usage_message(error: typer.TyperException) -> str:
    """Return what is wrong with a command line, with the options that may have been meant."""
    message, _, near = error.format_message().partition(" (Possible options: ")
    if near:
        message += f". Did you mean {near.removesuffix(')').replace(', ', ' or ')}?"
    return message[:1].lower() + message[1:]


def print_error(message: str, hint: str, status: int) -> int:
    """Print what is wrong, and below it what to do, where that is known. Returns the exit status."""
    print(f"error: {' '.join(message.split())}", *([f"  {hint}"] if hint else []), sep="\n", file=sys.stderr)
    return status


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give typer the options of a group, one parameter each, where `command` takes the group as one parameter."""
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {p.name: p.annotation for p in signature.parameters.values() if is_dataclass(p.annotation)}

    @functools.wraps(command)
    def run(**given: object) -> None:
        made = {name: group(**{f.name: given.pop(f.name) for f in fields(group)}) for name, group in groups.items()}
        command(**given, **made)

    parameters = list(_expanded(signature, groups))
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _expanded(signature: inspect.Signature, groups: Mapping[str, Any]) -> Iterator[inspect.Parameter]:
    for parameter in signature.parameters.values():
        group = groups.get(parameter.name)
        if group is None:
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            continue
        hints = get_type_hints(group, include_extras=True)
        for field in fields(group):
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            yield inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name]
            )


def from_options(kind: type[T], options: object, **others: Any) -> T:
    """Make a dataclass of the options that have the names of its fields, and of `others`."""
    named = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**({name: value for name, value in vars(options).items() if name in named} | others))
