"""Writes the manual page of `monitor` from its commands: python scripts/man_page.py > monitor.1

The form is that of man(7). All text comes from the help of the commands, so that the page says what they say.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from monitor.cli.main import COMMANDS, app

FILES = (
    ("config.toml", "Settings in the working directory; another file is named with --config."),
    ("demo/call.wav", "The call that 'monitor demo' makes."),
)
EXIT = (
    ("0", "Done."),
    ("2", "Bad input or configuration: standard error says what to do."),
    ("3", "An alert was raised, with --fail-on-alert."),
    ("130", "Interrupted."),
)


def roff(text: str) -> str:
    """Escape text for roff: backslashes, hyphens, and dots or quotes at the beginning of a line."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in escaped.splitlines())


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; lines that are indented or marked \\b stay as they are."""
    for part in (part for part in text.replace("\f", "").split("\n\n") if part.strip()):
        lines = part.strip("\n").splitlines()
        if lines[0].strip() == "\b":
            body = "\n".join(roff(line) for line in lines[1:])
            yield f".PP\n.nf\n{body}\n.fi"
        else:
            yield ".PP\n" + roff(wrapped(" ".join(line.strip() for line in lines)))


def wrapped(text: str) -> str:
    """Break text into lines that roff and its readers take well."""
    return textwrap.fill(" ".join(text.split()), 72, break_long_words=False, break_on_hyphens=False)


def parameters(command: Any) -> Iterator[str]:
    """Yield the arguments and options of a command."""
    context = command.context_class(command, info_name=command.name)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            name, text = record
            yield f".TP\n.B {roff(name)}\n{roff(wrapped(text))}"


def page() -> str:
    """Return the manual page."""
    import typer.main

    group: Any = typer.main.get_command(app)
    number = version("deepfake-speech-monitor")
    out = [
        f'.TH MONITOR 1 "" "deepfake\\-speech\\-monitor {roff(number)}" "User Commands"',
        ".SH NAME\nmonitor \\- detect synthetic voices in calls, while they go on",
        ".SH SYNOPSIS\n.B monitor\n[\\fIOPTIONS\\fR]",
        ".br\n.B monitor\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        *paragraphs(group.help or ""),
        ".SH OPTIONS",
        *parameters(group),
        ".SH COMMANDS",
    ]
    for name, command in group.commands.items():
        out.append(f".SS {roff(name)}")
        out += paragraphs(command.help or (COMMANDS[name][1] if name in COMMANDS else ""))
        nested = getattr(command, "commands", {})
        out += parameters(command) if not nested else []
        for inner in nested.values():
            out.append(f".PP\n.B monitor {roff(name)} {roff(inner.name)}")
            out += [*paragraphs(inner.help or ""), *parameters(inner)]
    out.append(".SH EXIT STATUS")
    out += [f".TP\n.B {status}\n{roff(text)}" for status, text in EXIT]
    out.append(".SH FILES")
    out += [f".TP\n.I {roff(name)}\n{roff(text)}" for name, text in FILES]
    text = "\n".join(out) + "\n"
    return re.sub(r"(\.S[HS] [^\n]*\n)\.PP\n", r"\1", text)  # a heading begins a paragraph by itself


if __name__ == "__main__":
    sys.stdout.write(page())
