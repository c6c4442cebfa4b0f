"""`monitor cluster`: the shards of a running server."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from monitor.cli.options import JsonOnly

COLUMNS = {"name": 10, "state": 9, "place": 20, "streams": 8, "busy": 6, "answer_ms": 10, "lost": 5}
"""Figures of a shard, and how wide they are printed."""


def cluster(
    address: Annotated[
        str,
        typer.Argument(metavar="HOST:PORT", help="Ray's head node, as the server names it when it starts; or auto."),
    ] = "auto",
    shards: Annotated[
        int | None, typer.Option(min=1, max=256, metavar="N", help="Have so many; calls move with their state.")
    ] = None,
    leave: Annotated[
        str, typer.Option(metavar="NAME", help="Let this shard's calls move, then end it; another one takes its place.")
    ] = "",
    server: Annotated[str, typer.Option(metavar="NAME", help="The server meant, where there are several.")] = "",
    json_lines: JsonOnly = False,
) -> None:
    """Show the shards of a server that was started with --cluster, and have more or fewer of them.

    No call is lost or interrupted: each moves with its state. busy is the share of the time in which a shard scores,
    answer_ms how long the newest answer took, lost how often the shard was lost and replaced.
    """
    from monitor.cluster.connect import joined
    from monitor.cluster.operate import find_server

    with joined(address):
        found = find_server(server)
        if shards is not None or leave:
            found.change(shards, leave)
        target, figures = found.show()
    for each in figures:
        print(json.dumps(each) if json_lines else _line(each))
    if not json_lines:
        print(f"{len(figures)} shards, {target.shards} wanted")


def _line(figures: dict[str, Any]) -> str:
    cells = [str(figures[name]).ljust(width) for name, width in COLUMNS.items()]
    return " ".join(cells).rstrip()
