"""The process that scores one file: hostile recordings meet their decoders here, and not beside the calls.

It leaves in its folder: total_s (how long the file says it is), result.json (its calls), summary.json (the worst of
them), report.html, or error.txt.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from monitor.api.convert import call_details, timeline
from monitor.call_history.kept_call import KeptCall
from monitor.config.schema import Config, DashboardSection, JournalSection, PublishSection, ZeromqSection
from monitor.disk.private import write_private
from monitor.errors import BadInputError, MonitorError
from monitor.events import wire
from monitor.journal import chain
from monitor.scores import severity

JOURNAL, RESULT, SUMMARY, REPORT = "journal", "result.json", "summary.json", "report.html"
ERROR, TOTAL, LOG = "error.txt", "total_s", "log.txt"
NICE = 10
SCORE_MS = 100
"""Audio between two scores of the result's timeline."""


def quiet_config(config: Config, folder: Path) -> Config:
    """Return the settings that scoring follows, without whatever else the server does with what it finds."""
    return Config(
        model=config.model,
        input=config.input,
        provenance=config.provenance,
        evidence=config.evidence,
        alerts=config.alerts,
        publish=PublishSection(score_interval_ms=SCORE_MS, redact_numbers=config.publish.redact_numbers),
        zeromq=ZeromqSection(enabled=False),
        journal=JournalSection(path=str(folder / JOURNAL), fsync="never", rotate_mib=0),
        dashboard=DashboardSection(mode="off"),
        taps=config.taps,
    )


def score_upload(path: Path, name: str, config: Config, folder: Path) -> None:
    """Score a file, write what was found, and delete the file. Body of a process of its own."""
    _become_background(folder)
    try:
        _score(path, name, config)
        path.unlink(missing_ok=True)
        _write_result(folder, name)
    except MonitorError as error:
        reason = f"{error.message}: {error.hint}" if error.hint else error.message
        write_private(folder / ERROR, reason.replace(str(path), name).encode("utf-8", "replace"))
    finally:
        path.unlink(missing_ok=True)


def _become_background(folder: Path) -> None:
    """Take a lower priority than live calls, and write nothing to the server's terminal."""
    with suppress(OSError, AttributeError):
        os.nice(NICE)
    write_private(folder / LOG, b"")
    log = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _score(path: Path, name: str, config: Config) -> None:
    from monitor.captures.records import is_capture
    from monitor.session.replay import ReplayOptions, replay
    from monitor.sources.recording import FileSource

    if not is_capture(path):
        source = FileSource(path, max_channels=config.input.max_channels)
        source.close()
        if source.total_s is not None:
            write_private(path.parent / TOTAL, json.dumps(source.total_s).encode())
    options = ReplayOptions(path, "max", None, None, json_lines=False, fail_on_alert=False, svg=None)
    replay(options, config, name)


def _write_result(folder: Path, name: str) -> None:
    from monitor.report.collect import read
    from monitor.report.page import page

    calls: dict[tuple[str, str], KeptCall] = {}
    try:
        for line in (folder / JOURNAL).read_bytes().splitlines():
            if not line.startswith(chain.SEALED):
                event = wire.decode(line).event
                calls.setdefault((event.epoch, event.call), KeptCall(event.call, event.epoch)).apply(event)
    except FileNotFoundError as error:
        raise BadInputError(f"there is no call in {name}", "send a recording, or a capture with RTP in it") from error
    found = [
        call_details(call, ()).model_dump(mode="json", by_alias=True)
        | {"name": call.call, "tap": "file"}
        | {"timelines": [timeline(channel).model_dump(mode="json") for channel in call.channels.values()]}
        for call in calls.values()
        if call.call
    ]
    if not found:
        raise BadInputError(f"there is no call in {name}", "send a recording, or a capture with RTP in it")
    history, sources = read([folder / JOURNAL], None, None)
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    html = page(history, [replace(source, path=name) for source in sources], f"Made at {made} by the monitor's API")
    write_private(folder / REPORT, html.encode("utf-8", "backslashreplace"))
    worst = max(found, key=lambda call: (severity(call["outcome"]), call["highest_p"] or 0.0))
    write_private(folder / SUMMARY, json.dumps({key: worst[key] for key in ("outcome", "highest_p")}).encode())
    write_private(folder / RESULT, json.dumps(found).encode())
