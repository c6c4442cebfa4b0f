"""`monitor doctor`: is everything there that the monitor needs, and how to fix what is not."""

from __future__ import annotations

import importlib.util
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import typer

from monitor.cli.option_groups import PublishOptions
from monitor.cli.typer_commands import expand_options
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from monitor.config.schema import Config

Grade = Literal["ok", "note", "fault"]
RECORD_S = 0.6


@dataclass(frozen=True)
class CheckResult:
    """One thing that was checked. fix: the line that fixes it, or ""."""

    what: str
    grade: Grade
    text: str
    fix: str = ""


def _sound(config: Config) -> Iterator[CheckResult]:
    """PortAudio, the inputs of both kinds, and what their defaults give."""
    from monitor.sources.inventory import read_inventory

    found = read_inventory()
    if found.no_inputs is not None:
        yield CheckResult("sound", "fault", found.no_inputs.message, found.no_inputs.hint)
    else:
        names = ", ".join(f"{d.index} {d.name}" for d in found.microphones)
        yield CheckResult("inputs", "ok", f"{len(found.microphones)}: {names}")
        yield _recording("default input", "mic", config, _permission_hint())
    if found.no_system is not None:
        yield CheckResult("system audio", "note", f"cannot be watched: {found.no_system.message}", found.no_system.hint)
    else:
        yield _recording("system audio", "system", config, "")


def _recording(what: str, device: str, config: Config, hint: str) -> CheckResult:
    """Record for a moment. Exact zeros of a microphone mean that the system withholds it, or that it is muted."""
    from monitor.sources.call_sides import open_sides
    from monitor.types import SAMPLE_RATE, Condition

    try:
        [source] = open_sides([device], config.input)
    except MonitorError as error:
        return CheckResult(what, "fault", error.message, error.hint)
    recorded, loud = 0, False
    try:
        for item in source.chunks():
            if isinstance(item, Condition):
                if item.usable:
                    continue
                return CheckResult(what, "fault", f"{item.code}: {item.detail}", "check the cable and the mixer")
            recorded += item.samples.shape[1]
            loud |= bool((item.samples != 0).any())
            if recorded > RECORD_S * SAMPLE_RATE:
                break
    finally:
        source.close()
    if device == "mic" and source.origin.endswith(".monitor"):
        text = f"{source.name} is no microphone: the sound server gives what is played, {source.origin}"
        return CheckResult(what, "note", text, "plug in a microphone, or choose another input from 'monitor devices'")
    if loud:
        return CheckResult(what, "ok", f"{source.name} gives sound")
    if not hint:
        return CheckResult(what, "ok", f"{source.name} can be heard; nothing is played at the moment")
    return CheckResult(what, "note", f"{source.name} gives exact zeros", hint)


def _permission_hint() -> str:
    if sys.platform == "darwin":
        return "allow the terminal under System Settings > Privacy & Security > Microphone"
    return "unmute it (pavucontrol, alsamixer), or choose another one from 'monitor devices'"


def _device(config: Config) -> Iterator[CheckResult]:
    """Check where the network would run."""
    from model.weights_file import DeviceError
    from monitor.scoring.opening import choose_device, describe_device, unused_gpu

    try:
        device = choose_device(config.model.device)
    except DeviceError as error:
        yield CheckResult(
            "processor", "fault", str(error), "set model.device to auto, in the settings file or with --set"
        )
    else:
        yield CheckResult("processor", "ok", describe_device(device))
        if device == "cpu" and (line := unused_gpu(config.model.device)):
            yield CheckResult("graphics", "note", "there is a GPU that is not used", line)


def _weights(config: Config) -> Iterator[CheckResult]:
    from monitor.scoring.opening import open_scorer

    try:
        scorer = open_scorer(config.model.model_copy(update={"device": "cpu"}), 1)
    except MonitorError as error:
        yield CheckResult("weights", "fault", error.message, error.hint)
        return
    kind = scorer.config.network.kind
    yield CheckResult("weights", "ok", f"{scorer.weights_hash[:12]}, {scorer.parameters:,} parameters ({kind})")


def _port(config: Config) -> Iterator[CheckResult]:
    """Check whether the address for events is free."""
    if not config.zeromq.enabled:
        yield CheckResult("events", "note", "are not published")
        return
    from monitor.sinks.registry import SINKS

    try:
        for sink in SINKS["zeromq"](config, ""):
            sink.close()
    except MonitorError as error:
        fix = f"end the other program, or choose another address: --publish tcp://127.0.0.1:{_free_port()}"
        yield CheckResult("events", "fault", error.message, fix)
    else:
        yield CheckResult("events", "ok", f"{config.zeromq.address} is free")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _formats(config: Config) -> Iterator[CheckResult]:  # noqa: ARG001
    found = importlib.util.find_spec("av") is not None
    text = "soundfile and PyAV" if found else "soundfile alone: no m4a, webm, amr, video"
    yield CheckResult("files", "ok" if found else "note", text, "" if found else "install the package av")


def _marks(config: Config) -> Iterator[CheckResult]:  # noqa: ARG001
    """Yield the extras that read what a recording carries about its own origin."""
    from importlib.metadata import PackageNotFoundError, version

    for what, package, extra in (
        ("credentials", "c2pa-python", "provenance"),
        ("watermarks", "resemble-perth", "watermark"),
    ):
        try:
            yield CheckResult(what, "ok", f"{package} {version(package)}")
        except PackageNotFoundError:
            fix = f'pip install "deepfake-speech-monitor[{extra}]"'
            yield CheckResult(what, "note", f"cannot be read without {package}", fix)


CHECKS: tuple[Callable[[Config], Iterator[CheckResult]], ...] = (_sound, _device, _weights, _port, _formats, _marks)


def run_checks(config: Config) -> int:
    """Print a line for each check, and under each fault the line that fixes it. Returns 0, or 2 with a fault."""
    faults = 0
    for check in CHECKS:
        for finding in check(config):
            print(f"{finding.grade:<6} {finding.what:<14} {finding.text}", flush=True)
            if finding.fix:
                print(f"{'':21} -> {finding.fix}", flush=True)
            faults += finding.grade == "fault"
    return 2 if faults else 0


@expand_options
def doctor(*, options: PublishOptions) -> None:
    """Check sound system, microphone, system audio, network weights, processor, port, file formats and extras.

    Each fault is followed by the line that fixes it. Exit status 2 if there is any.
    """
    settings = options.settings()
    raise typer.Exit(run_checks(settings.config))
