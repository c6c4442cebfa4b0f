"""A command whose help names arguments and options as argparse does: typer names them by Python's types."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """Shows `--corpus CORPUS` and WEIGHTS, where typer shows `--corpus <list[Path]>` and {weights}."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters."""
        found: list[Any] = [*super().get_params(ctx)]
        for parameter in found:
            if parameter.metavar is None and not parameter.type_descriptor.is_choice:
                parameter.metavar = (parameter.name or "").upper()
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = lambda **_: None
        return found

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]
