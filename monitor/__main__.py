"""The program `monitor`, and python -m monitor."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; Ctrl-C while it loads ends it without a traceback."""
    import sys

    try:
        from monitor.cli.interrupts import spare_imports

        spare_imports()
        from monitor.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
