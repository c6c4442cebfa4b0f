"""The program `training`: its commands, and the only place that prints errors and exits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import typer

from monitor.cli.interrupts import spare_imports
from monitor.cli.typer_commands import PlainCommand, print_error, usage_message
from training.cli.average import average
from training.cli.baseline import baseline
from training.cli.channels import channels
from training.cli.classes import classes
from training.cli.codec_head import codec_head
from training.cli.cost import cost
from training.cli.equalise import equalise
from training.cli.evaluate import evaluate
from training.cli.export import export
from training.cli.fetch import fetch
from training.cli.finetune import finetune
from training.cli.gather import gather
from training.cli.leave_out import leave_out
from training.cli.refit import refit
from training.cli.select import select
from training.cli.shortcuts import shortcuts
from training.cli.shrink import shrink
from training.cli.synthesise import synthesise
from training.cli.train import train
from training.cli.vocode import vocode
from training.cli.vocoder import vocoder

INTERRUPTED = 130

COMMANDS: Mapping[str, tuple[Callable[..., None], str]] = {
    "train": (train, "Train a network on corpora of bona fide and synthetic speech."),
    "finetune": (finetune, "Continue from trained weights with your own fakes and real voices."),
    "baseline": (baseline, "Train the offline network to compare with."),
    "average": (average, "Average the weights of several trainings, and fit the calibration."),
    "export": (export, "Write a network as an ONNX file, for live scoring on a CPU."),
    "refit": (refit, "Fit the last layer anew, and make channels even."),
    "codec-head": (codec_head, "Add a layer that detects a low-rate codec, under which logits are reduced."),
    "shrink": (shrink, "Make a smaller network from a trained one, to continue training from."),
    "cost": (cost, "Count the operations of a block of 20 ms."),
    "evaluate": (evaluate, "Measure a network: error rates by system, channel and time."),
    "classes": (classes, "Measure how well kinds of synthesis are named."),
    "leave-out": (leave_out, "Measure how well synthesis of unknown kinds is detected."),
    "vocode": (vocode, "Re-synthesise speech, as training material."),
    "vocoder": (vocoder, "Train a small neural vocoder, for vocode."),
    "gather": (gather, "Cut real speech out of collections of recordings."),
    "synthesise": (synthesise, "Synthesise speech from text with the installed engines."),
    "equalise": (equalise, "Remove from a corpus what gives its labels away."),
    "select": (select, "Choose clips by part and source, or with fewer systems."),
    "fetch": (fetch, "Download a public corpus."),
    "shortcuts": (shortcuts, "Measure how far a corpus gives its labels away."),
    "channels": (channels, "Plot what each channel of the augmentation does to speech."),
}
"""The commands by name, in the order of the help, each with one line on what it does."""

RESUMED = ("train", "finetune", "baseline", "leave-out", "vocoder", "fetch")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def training() -> None:
    """Train and measure the networks of the deepfake speech monitor."""


for _name, (_command, _line) in COMMANDS.items():
    app.command(name=_name, short_help=_line, cls=PlainCommand)(_command)


def run_cli(arguments: Sequence[str] | None = None) -> int:
    """Run a command (default: that of sys.argv). Returns the exit status; faults are two lines on standard error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = f"training {words[0]}" if words and words[0] in COMMANDS else "training"
    try:
        status = app(args=words, prog_name="training", standalone_mode=False)
    except typer.TyperException as error:
        return print_error(usage_message(error), f"see {command} --help", error.exit_code)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return print_error(place + (error.strerror or str(error)).lower(), "check the name, the folder and the disk", 2)
    except ValueError as error:
        return print_error(str(error), f"see {command} --help, and docs/training.md", 2)
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED and words and words[0] in RESUMED:
        print("interrupted; the same command continues where it stopped", file=sys.stderr)
    return status if isinstance(status, int) else 0


def main() -> None:
    """Run `training`, and end the process with its exit status."""
    spare_imports()
    sys.exit(run_cli())
