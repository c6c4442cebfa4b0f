"""`monitor --device ...`: watch a microphone, what the computer plays, or both sides of a call."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from monitor.config.schema import Config


def live(devices: Sequence[str], config: Config, *, json_lines: bool, fail_on_alert: bool) -> int:
    """Watch inputs as one call until Ctrl-C or q. Returns the exit status; raises BadInputError for a wrong device."""
    from monitor.sources.call_sides import open_sides

    sources = open_sides(devices, config.input)
    with ExitStack() as stack:
        for source in sources:
            stack.callback(source.close)
        # torch takes seconds to load: a device that is not there is told before that.
        from monitor.session.watch import Watched, call_name, watch

        stem = "call" if len(sources) > 1 else sources[0].channels[0].partition("-")[0]
        watched = Watched(call_name(stem, live=True), sources)
        return watch([watched], config, json_lines=json_lines, fail_on_alert=fail_on_alert)
