"""`monitor score`: one line for each file and channel."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.option_groups import ModelOptions, expand_options
from monitor.cli.options import JsonOnly, RawFormat, Track

if TYPE_CHECKING:
    from monitor.config.schema import Config
    from monitor.scores import ChannelScore, FileScore


@expand_options
def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Recordings or captures.")],
    json_lines: JsonOnly = False,
    track: Track = None,
    raw_format: RawFormat = None,
    *,
    options: ModelOptions,
) -> None:
    """Score whole recordings, and the calls in captures: one line for each file and channel, in the order given.

    p_fake is the probability that the voice is synthetic, llr the evidence for it (log-likelihood ratio, in nats), both
    of all speech in the file; the state is the worst on the way. A file that cannot be read is named, the others are
    scored all the same, and the exit status is 2.
    """
    settings = options.settings()
    raise typer.Exit(print_scores(files, settings.config, as_json=json_lines, track=track, raw=raw_format))


def print_scores(
    files: Sequence[Path], config: Config, *, as_json: bool, track: int | None = None, raw: str | None = None
) -> int:
    """Print a line for each file and channel, in the order given. Returns the exit status.

    A file that cannot be scored is named on standard error; the others are scored all the same, and 2 is returned.
    """
    from monitor.session.score import FileScorer
    from monitor.session.warnings import print_problems
    from monitor.sources.raw_formats import read_raw_format

    scorer = FileScorer(config, track=track, raw=read_raw_format(raw) if raw is not None else None)
    order, printed, failed = list(files), 0, 0
    waiting: dict[Path, FileScore] = {}
    for scored in scorer.run(order):
        waiting[scored.path] = scored
        failed += scored.error is not None
        print_problems(scored)
        while printed < len(order) and order[printed] in waiting:
            for channel in waiting[order[printed]].channels:
                line = _line(order[printed], channel)
                print(json.dumps(line) if as_json else _readable(line), flush=True)
            printed += 1
    return 2 if failed else 0


def _line(path: Path, score: ChannelScore) -> dict[str, Any]:
    values = asdict(score)
    del values["segments"]
    call = values.pop("call")
    return {"path": str(path)} | ({"call": call} if call else {}) | values


def _readable(line: Mapping[str, Any]) -> str:
    family = next(iter(line["families"]), "-") if line["state"] in ("suspicious", "alert") else "-"
    call = f"  {line['call']}" if "call" in line else ""
    return (
        f"{line['path']}{call}  {line['channel']}  p_fake {line['p_fake']:.4f}  llr {line['llr']:+.3f}  "
        f"net speech {line['net_speech_s']:.1f} s  {line['state']}  {family}"
    )
