"""`training vocoder`: train a small neural vocoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.typer_commands import expand_options, from_options
from training.cli.options import Cache, Corpora, Device, Minutes, Seed, Steps, Workers


@dataclass(frozen=True, kw_only=True)
class VocoderOptions:
    """The options of `training vocoder`."""

    corpus: Corpora
    out: Annotated[
        Path, typer.Option(help="Folder of the run: checkpoint, history, weights. Resumes where it stopped.")
    ]
    kind: Annotated[str, typer.Option(help="istft-gan: a harmonic and noise source, shaped by a network.")] = (
        "istft-gan"
    )
    minutes: Minutes = 20.0
    steps: Steps = 100_000
    rows: Annotated[int, typer.Option(min=1, help="Pieces of 0.8 s in a batch.")] = 12
    learning_rate: Annotated[float, typer.Option(min=0, help="Learning rate of the vocoder.")] = 1.5e-3
    warm_up: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the training before the discriminators are switched on.")
    ] = 0.4
    report_every: Annotated[int, typer.Option(min=1, help="Steps between two checkpoints.")] = 100
    workers: Workers = 2
    cache: Cache = Path("data/cache")
    device: Device = "auto"
    seed: Seed = 1


@expand_options
def vocoder(*, options: VocoderOptions) -> None:
    """Train a small neural vocoder from scratch on the bona fide clips of the train split, for vocode to make copies
    with: --weights neural-istft=OUT/weights.safetensors.
    """
    from training.vocoding.neural_vocoder.vocoder_config import VocoderConfig, VocoderTrainConfig
    from training.vocoding.neural_vocoder.vocoder_plan import VocoderPlan, run

    model, config = VocoderConfig.from_dict({"kind": options.kind}), from_options(VocoderTrainConfig, options)
    run(model, config, from_options(VocoderPlan, options, corpora=options.corpus), typer.echo)
