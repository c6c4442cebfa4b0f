"""One notification on the desktop for each alert, and never a flood of them.

notify-send (freedesktop.org), osascript (macOS) or a PowerShell toast. What comes while the last one is fresh is
counted in the next. Names of calls are handed over as data: none of the three takes them for markup or code.
"""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from monitor.errors import BadInputError, SinkError
from monitor.events.sink import Sink
from monitor.types import Event

LIMIT_S = 10.0
TITLE = "Synthetic speech on a call"

_APPLE = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")
_TOAST = """
[Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime] | Out-Null
$kind = [Windows.UI.Notifications.ToastTemplateType]::ToastText02
$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($kind)
$texts = $toast.GetElementsByTagName('text')
$texts.Item(0).AppendChild($toast.CreateTextNode($env:MONITOR_TOAST_TITLE)) | Out-Null
$texts.Item(1).AppendChild($toast.CreateTextNode($env:MONITOR_TOAST_BODY)) | Out-Null
$shown = [Windows.UI.Notifications.ToastNotification]::new($toast)
$id = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($id).Show($shown)
"""


@dataclass(frozen=True)
class NotifyCommand:
    """A program with its arguments, and variables for it."""

    words: Sequence[str]
    environment: Mapping[str, str]


def command(platform: str, body: str) -> NotifyCommand:
    """Return the command that shows a notification. platform: as sys.platform names it."""
    if platform == "darwin":
        lines = [word for line in _APPLE for word in ("-e", line)]
        return NotifyCommand(["osascript", *lines, TITLE, body], {})
    if platform == "win32":
        words = ["powershell", "-NoProfile", "-NonInteractive", "-Command", _TOAST]
        return NotifyCommand(words, {"MONITOR_TOAST_TITLE": TITLE, "MONITOR_TOAST_BODY": body})
    options = ["--app-name=monitor", "--urgency=critical", "--icon=dialog-warning"]
    return NotifyCommand(["notify-send", *options, "--", TITLE, html.escape(body, quote=False)], {})


def text_of(event: Event, more: int) -> str:
    """Return what the notification says. more: alerts since the last one that it stands for, besides this."""
    who = "/".join(name for name in (event.call, event.channel) if name)
    plain = "".join(letter if letter.isprintable() else "?" for letter in who)
    others = f" (and {more} more)" if more else ""
    return f"{plain[:200]}: p_fake {event.data.get('p_fake')}{others}"


class DesktopSink(Sink):
    """Runs the program of this platform for an alert that opens."""

    name = "desktop"

    def __init__(self, least_interval_s: float, platform: str = sys.platform) -> None:
        """Raises BadInputError where the program is not installed."""
        self._platform, self._least_s = platform, least_interval_s
        self._next = 0.0
        self._newest: Event | None = None
        self._more = 0
        program = command(platform, "").words[0]
        if shutil.which(program) is None:
            hint = "install it (Debian: apt install libnotify-bin), or set desktop.enabled = false"
            raise BadInputError(f"desktop.enabled needs the program {program}", hint)

    def wants(self, event: Event) -> bool:
        """Return whether the event opens an alert."""
        return event.type == "alert.opened"

    def emit(self, event: Event) -> None:
        """Keep it for tick()."""
        self._more += self._newest is not None
        self._newest = event

    def tick(self) -> None:
        """Show what there is, when the last one is old enough. Raises SinkError."""
        if self._newest is None or time.monotonic() < self._next:
            return
        self._show(text_of(self._newest, self._more))
        self._newest, self._more = None, 0
        self._next = time.monotonic() + self._least_s

    def tick_in_s(self) -> float:
        """Return the time until the next one may be shown, if there is one."""
        return inf if self._newest is None else self._next - time.monotonic()

    def _show(self, body: str) -> None:
        wanted = command(self._platform, body)
        try:
            subprocess.run(
                wanted.words,
                env={**os.environ, **wanted.environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT_S,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            output = " ".join(error.stderr.decode("utf-8", "replace").split())
            reason = f"{wanted.words[0]}: {output or f'status {error.returncode}'}"
            raise SinkError(reason, retry_in_s=self._least_s) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SinkError(f"{wanted.words[0]}: {error}", retry_in_s=self._least_s) from error
