"""Recipes: TOML files that hold options of a training. An option on the command line goes before the recipe's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer


def load_recipe(context: typer.Context, path: Path | None) -> Path | None:
    """Take the options in a TOML file as the command's defaults. Raises typer.BadParameter."""
    if path is None:
        return None
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise typer.BadParameter(f"{path} is not TOML: {error}") from error
    several = {p.name: getattr(p, "multiple", False) for p in context.command.params if p.param_type_name == "option"}
    found = {key.replace("-", "_"): value for key, value in table.items()}
    for name in found:
        if name not in several:
            near = get_close_matches(name, [str(known) for known in several], 1)
            raise typer.BadParameter(
                f"{path} has an unknown option {name!r}" + f"; did you mean {near[0]!r}?" * bool(near)
            )
    context.default_map = {name: _as_given(value, several[name]) for name, value in found.items()}
    return path


def _as_given(value: Any, several: bool) -> Any:
    """Return a value as the command line would hold it: lists and tables of one option are text with commas."""
    if isinstance(value, Mapping):
        return ",".join(f"{key}={part}" for key, part in value.items())
    if isinstance(value, list):
        return [str(part) for part in value] if several else ",".join(map(str, value))
    return [str(value)] if several else value


Recipe = Annotated[
    Path | None,
    typer.Argument(
        metavar="RECIPE.toml",
        help="File with options, such as those in training/recipes/; options on the command line override it.",
        is_eager=True,
        callback=load_recipe,
        show_default=False,
    ),
]
