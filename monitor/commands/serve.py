"""`monitor serve`: watch many live calls at once."""

from __future__ import annotations

from monitor.config.schema import Config


def serve(config: Config, *, json_lines: bool) -> int:
    """Watch until Ctrl-C or q. Returns the exit status; raises MonitorError."""
    from monitor.serve.server import serve as run

    return run(config, json_lines=json_lines)
