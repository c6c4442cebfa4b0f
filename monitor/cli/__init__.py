"""The options of the command `monitor`; each command's work is in a file of its own, under commands/."""

from collections.abc import Callable, Mapping

from monitor.cli import deliver, judge, machine, records, watch
from monitor.cli.base import app
from monitor.cli.options import Command

COMMANDS: Mapping[str, tuple[Callable[..., None], str]] = {
    "replay": (watch.replay, "Watch a recorded call as if it were live."),
    "serve": (watch.serve, "Watch many live calls at once, from the taps that are switched on."),
    "simulate": (watch.simulate, "Play a recorded call into a tap, as its real peer would."),
    "score": (judge.score, "Judge whole recordings: one line for each file and channel."),
    "calibrate": (judge.calibrate, "Set the alert threshold from genuine calls of your own."),
    "subscribe": (deliver.subscribe, "Print what a running monitor finds."),
    "verify": (records.verify, "Find what was altered in a journal or in evidence, left out or added."),
    "report": (records.report, "Write what was found as one page to read, print or hand on."),
    "devices": (machine.devices, "List the inputs that --device takes: microphones, system audio."),
    "demo": (watch.demo, "Watch a call whose voice turns synthetic half-way."),
    "doctor": (machine.doctor, "Check this computer, and say how to mend what is wrong."),
    "schema": (machine.schema, "Print what events look like, as JSON Schema."),
    "config": (machine.show_config, "Show every setting and where its value comes from."),
}
"""By name, in the order of the help: the options, and one line on what it does."""

for _name, (_command, _line) in COMMANDS.items():
    app.command(name=_name, short_help=_line, cls=Command)(_command)
app.add_typer(deliver.keys, name="keys", short_help="Make the keys that encrypt the stream, and say who may read it.")

__all__ = ["COMMANDS", "app"]
