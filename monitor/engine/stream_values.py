"""Values of many streams that are taken out for some of them, and put back."""

from __future__ import annotations

from typing import Self

from monitor.scoring.rows import Rows


class StreamValues:
    """Base of a dataclass whose fields are arrays with the streams along the first axis."""

    def take(self, rows: Rows) -> Self:
        """Return the values of some streams; a slice of rows gives views."""
        return type(self)(**{name: values[rows] for name, values in vars(self).items()})

    def put(self, rows: Rows, new: Self) -> None:
        """Write the values of some streams, in place."""
        given = vars(new)
        for name, values in vars(self).items():
            values[rows] = given[name]
