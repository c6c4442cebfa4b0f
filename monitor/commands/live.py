"""`monitor --device ...`: watch a microphone."""

from __future__ import annotations

from monitor.config import Config
from monitor.sources import Request, open_source


def live(device: str, config: Config, *, json_lines: bool, fail_on_alert: bool) -> int:
    """Watch a microphone until Ctrl-C or q. Returns the exit status; raises BadInputError for an unknown device."""
    source = open_source("microphone", Request(device, config.input))
    try:
        # torch takes seconds to load: a device that is not there is told before that.
        from monitor.watch import Watched, call_name, watch

        watched = Watched(call_name("mic", live=True), source)
        return watch([watched], config, json_lines=json_lines, fail_on_alert=fail_on_alert)
    finally:
        source.close()
