"""The terminal dashboard: what a call sounds like to the monitor, on one screen."""

from monitor.dashboard.picture import export_svg
from monitor.dashboard.plain import plain_line, summary_lines
from monitor.dashboard.render import line, render
from monitor.dashboard.screen_thread import Dashboard

__all__ = ["Dashboard", "export_svg", "line", "plain_line", "render", "summary_lines"]
