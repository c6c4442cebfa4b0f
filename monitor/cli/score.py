"""`monitor score`: one line for each file and channel."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.option_groups import ModelOptions
from monitor.cli.options import JsonOnly, RawFormatOption, TrackOption
from monitor.cli.typer_commands import expand_options
from monitor.errors import BadInputError

if TYPE_CHECKING:
    from monitor.cli.progress import Progress
    from monitor.config.schema import Config
    from monitor.scores import FileScore
    from monitor.session.file_scorer import RawFormat
    from monitor.session.score_table import LinesFile


@dataclass(frozen=True)
class ScoreOptions:
    """The options of the command, beside those of the model."""

    json_lines: JsonOnly = False
    csv_lines: Annotated[bool, typer.Option("--csv", help="Write CSV instead of a table.")] = False
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write to this .csv, .jsonl or .parquet file; continues where it stopped.",
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Score N files at once, each in a process of its own (default: 1; on a cluster, its CPUs).",
        ),
    ] = None
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Score with Ray: HOST:PORT of a cluster's head node, auto, or local (default), which starts one here. "
            "--out then names a folder, or one in an object store, for Parquet.",
        ),
    ] = None
    track: TrackOption = None
    raw_format: RawFormatOption = None

    @property
    def form(self) -> str:
        """Return what is printed: a table, json or csv."""
        return "json" if self.json_lines else "csv" if self.csv_lines else "table"


@expand_options
def score(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Recordings, captures, folders of them, or patterns.")
    ],
    *,
    options: ScoreOptions,
    model: ModelOptions,
) -> None:
    """Score whole recordings, and the calls in captures: one line for each file and channel, as each file ends.

    p_fake is the probability that the voice is synthetic, llr the evidence for it (log-likelihood ratio, in nats), both
    of all speech in the file; the state is the worst on the way. What a file carries about its own origin, content
    credentials or a watermark, is a line of its own. Of a folder the files below it are taken whose names end as
    recordings and captures do. A file that cannot be read is named, the others are scored all the same, and the exit
    status is 2.
    """
    if options.json_lines + options.csv_lines + (options.out is not None) > 1:
        raise BadInputError("--json, --csv and --out contradict each other", "give one of them")
    if options.cluster is not None and options.out is None:
        raise BadInputError("--cluster needs --out", "name a folder, or an address such as s3://bucket/scores")
    run = print_scores if options.cluster is None else score_archive
    raise typer.Exit(run(files, model.settings().config, options))


def print_scores(words: Sequence[str | Path], config: Config, options: ScoreOptions) -> int:
    """Print a line for each file and channel, or write them to options.out. Returns the exit status.

    With several workers the files come in the order in which they end. A file that cannot be scored is named on
    standard error; the others are scored all the same, and 2 is returned. Raises BadInputError for words that stand for
    no file, and for a file to write that cannot be gone on with.
    """
    from monitor.cli.progress import Progress
    from monitor.session.find_recordings import Recordings
    from monitor.session.score_table import csv_line, open_table
    from monitor.session.warnings import print_problems

    recordings = Recordings(list(words), every=options.raw_format is not None)
    table = None if options.out is None else open_table(Path(options.out))
    progress, failed = Progress(recordings), 0
    if options.form == "csv":
        print(csv_line(None), end="")
    for scored in _scored(_left(recordings, table, progress), config, options):
        progress.add(scored)
        failed += scored.error is not None
        progress.clear()
        print_problems(scored)
        _print(scored, options.form) if table is None else table.add(scored)
        progress.draw()
    progress.clear()
    _print_left_out(recordings.left_out)
    if table is not None:
        table.close()
    return 2 if failed else 0


def score_archive(words: Sequence[str], config: Config, options: ScoreOptions) -> int:
    """Score an archive on a cluster into Parquet tables at options.out. Returns the exit status.

    What cannot be scored is in the table of errors; 2 is returned. Raises BadInputError for words that stand for
    nothing and for what cannot be written, and SourceError where the cluster fails.
    """
    from monitor.cluster.connect import check_address
    from monitor.scoring.opening import check_weights

    address, out = options.cluster, options.out
    assert address is not None
    assert out is not None
    check_address(address)
    check_weights(config.model)
    from monitor.cli.progress import Progress
    from monitor.session.score_cluster import Archive, score_on_cluster
    from monitor.session.score_parts import ScoreParts
    from monitor.session.score_workers import Task

    archive = Archive(words, every=options.raw_format is not None)
    task = Task(config, options.track, _raw_format(options))
    scored = failed = 0
    with closing(ScoreParts(out)) as parts, closing(Progress(archive)) as progress:
        for found in score_on_cluster(archive, task, address, options.workers, parts.done):
            if parts.add(found.name, found.rows, found.problems):
                scored, failed = scored + 1, failed + found.failed
                progress.count(max((float(row["duration_s"]) for row in found.rows), default=0.0))
                progress.draw()
    _print_left_out(archive.left_out)
    print(f"{scored} files scored into {out}/scores", file=sys.stderr)
    if failed:
        print(f"error: {failed} of them not, or in part: see {out}/errors", file=sys.stderr)
    return 2 if failed else 0


def _print_left_out(endings: Counter[str]) -> None:
    if endings:
        counts = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(5))
        print(f"not taken, for their names: {counts}; name a file itself to score it", file=sys.stderr)


def _left(files: Iterable[Path], table: LinesFile | None, progress: Progress) -> Iterator[Path]:
    """Return the files that no earlier run has scored."""
    for path in files:
        if table is not None and table.has(path):
            progress.skip()
        else:
            yield path


def _raw_format(options: ScoreOptions) -> RawFormat | None:
    from monitor.sources.raw_formats import read_raw_format

    return None if options.raw_format is None else read_raw_format(options.raw_format)


def _scored(files: Iterator[Path], config: Config, options: ScoreOptions) -> Iterator[FileScore]:
    form, workers = _raw_format(options), options.workers or 1
    if workers == 1:
        from monitor.session.file_scorer import FileScorer
        from monitor.session.setup import loading

        with loading():
            scorer = FileScorer(config, track=options.track, raw=form)
        yield from scorer.run(files)
    else:
        from monitor.session.score_workers import Task, score_in_workers

        with closing(score_in_workers(files, workers, Task(config, options.track, form))) as found:
            yield from found


def _print(scored: FileScore, form: str) -> None:
    from monitor.session.score_table import csv_line, row

    for channel in scored.channels:
        line = row(scored, channel)
        if form == "csv":
            print(csv_line(line), end="", flush=True)
        else:
            print(json.dumps(line) if form == "json" else _readable(line), flush=True)
    for mark in scored.provenance if form == "table" else ():
        print(f"{scored.path}  {mark.detail}", flush=True)


def _readable(line: Mapping[str, Any]) -> str:
    family = next(iter(line["families"]), "-") if line["state"] in ("suspicious", "alert") else "-"
    call = f"  {line['call']}" if "call" in line else ""
    return (
        f"{line['path']}{call}  {line['channel']}  p_fake {line['p_fake']:.4f}  llr {line['llr']:+.3f}  "
        f"net speech {line['net_speech_s']:.1f} s  {line['state']}  {family}"
    )
