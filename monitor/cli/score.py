"""`monitor score`: one line for each file and channel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.option_groups import ModelOptions, expand_options
from monitor.cli.options import JsonOnly, RawFormat, Track

if TYPE_CHECKING:
    from monitor.config.schema import Config


@expand_options
def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Recordings or captures.")],
    json_lines: JsonOnly = False,
    track: Track = None,
    raw_format: RawFormat = None,
    *,
    options: ModelOptions,
) -> None:
    """Judge whole recordings, and the calls in captures: one line for each file and channel, in the order given.

    p_fake is the probability that the voice is synthetic, llr the evidence for it (log-likelihood ratio, in nats), both
    of all speech in the file; the state is the gravest on the way. A file that cannot be read is named, the others are
    judged all the same, and the exit status is 2.
    """
    settings = options.settings()
    raise typer.Exit(print_scores(files, settings.config, as_json=json_lines, track=track, raw=raw_format))


def print_scores(
    files: Sequence[Path], config: Config, *, as_json: bool, track: int | None = None, raw: str | None = None
) -> int:
    """Print a line for each file and channel, in the order given.

    A file that cannot be scored is named on standard error; the others are scored all the same, and 2 is returned.
    """
    from monitor.session.score import Scorer
    from monitor.sources.raw_formats import read_raw_format

    scorer = Scorer(config, track=track, raw=read_raw_format(raw) if raw is not None else None)
    failed = 0
    waiting: dict[Path, list[dict[str, object]] | None] = {}
    order = list(files)
    printed = 0
    for path, lines in scorer.run(order):
        waiting[path] = lines
        failed += lines is None
        while printed < len(order) and order[printed] in waiting:
            for line in waiting[order[printed]] or []:
                print(json.dumps(line) if as_json else _readable(line), flush=True)
            printed += 1
    return 2 if failed else 0


def _readable(line: dict[str, object]) -> str:
    found = line["families"]
    assert isinstance(found, dict)
    family = next(iter(found), "-") if line["state"] in ("suspicious", "alert") else "-"
    call = f"  {line['call']}" if "call" in line else ""
    return (
        f"{line['path']}{call}  {line['channel']}  p_fake {line['p_fake']:.4f}  llr {line['llr']:+.3f}  "
        f"net speech {line['net_speech_s']:.1f} s  {line['state']}  {family}"
    )
