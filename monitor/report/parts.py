"""Small pieces of the page, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from monitor.report.charts import clock
from monitor.report.history import Alert

Rows = Sequence[Sequence[str]]


def moment(time: str) -> str:
    return escape(f"{time[:10]} {time[11:19]} UTC") if len(time) >= 19 else escape(time)


def table(head: Sequence[str], rows: Rows, numbers: Sequence[int] = ()) -> str:
    """Cells are HTML. numbers: columns that stand to the right."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}{' class=number' if i in numbers else ''}>{c}</{tag}>" for i, c in enumerate(cells))

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{line(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def facts(values: Mapping[str, str]) -> str:
    """Values are HTML; those that are empty are left out."""
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in values.items() if value) + "</dl>"


def span(alert: Alert) -> str:
    until = "open when the record ends" if alert.closed_s is None else clock(alert.closed_s)
    return f"{clock(alert.opened_s)} to {until}" if alert.closed_s is not None else f"{clock(alert.opened_s)} ({until})"
