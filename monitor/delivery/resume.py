"""The position at which a subscriber begins, and the file that keeps the one where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from monitor.delivery.gaps import Position
from monitor.disk.private import write_private
from monitor.errors import BadInputError


def starting_point(since: str | None, state: Path | None, topics: Sequence[str]) -> Position | None:
    """Read where to start from "SEQ", "EPOCH:SEQ" or a state file; None: from now on. Raises BadInputError."""
    if state is not None and not os.access(state.absolute().parent, os.W_OK | os.X_OK):
        raise BadInputError(f"state {state} cannot be written", "name a file in a directory that can be written")
    if state is not None and (kept := recall(state, topics)):
        return kept
    if since is None:
        return None
    epoch, _, seq = since.rpartition(":")
    if not seq.isdecimal() or int(seq) < 1:
        raise BadInputError(f"--from {since} is not an event number", "write --from 1, or --from EPOCH:1")
    return Position(epoch, int(seq) - 1)


def recall(state: Path, topics: Sequence[str]) -> Position | None:
    """Return what a state file holds; None where there is no file. Raises BadInputError."""
    try:
        kept = json.loads(state.read_text(encoding="utf-8"))
        position = Position(str(kept["epoch"]), int(kept["seq"]), {str(k): int(v) for k, v in kept["seen"].items()})
        before = kept["topics"]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInputError(f"state {state}: {error.strerror}", "name another file") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"state {state}: holds something else", "name a new file") from error
    if before != list(topics):
        raise BadInputError(f"state {state}: is of other topics ({', '.join(map(repr, before))})", "name another file")
    return position


def remember(state: Path, position: Position | None, topics: Sequence[str]) -> None:
    """Replace the file in one step. Raises BadInputError where it cannot be written."""
    if position is None:
        return
    kept = {"epoch": position.epoch, "seq": position.seq, "seen": dict(position.seen), "topics": list(topics)}
    new = state.with_name(state.name + ".new")
    try:
        write_private(new, json.dumps(kept).encode())
        os.replace(new, state)
    except OSError as error:
        raise BadInputError(
            f"state {state}: {error.strerror}", "name a file in a directory that can be written"
        ) from error
