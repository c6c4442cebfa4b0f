"""python scripts/licences.py: the licences of what an image of the program carries, as a table in Markdown.

The packages are those of `uv export` without extras and development; the licences those of the installed metadata.
"""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import PackageNotFoundError, metadata

EXPORT = ("uv", "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header")


def licence(name: str) -> str:
    """Return what the metadata of a package says: an expression, else its classifiers, else its own words."""
    found = metadata(name)
    if expression := found.get("License-Expression"):
        return expression
    kinds = [c.rpartition(" :: ")[2] for c in found.get_all("Classifier", []) if c.startswith("License :: ")]
    own = (found.get("License") or "").strip().partition("\n")[0]
    return ", ".join(kinds) or own or "not said"


def main() -> None:
    lines = subprocess.run(EXPORT, capture_output=True, text=True, check=True).stdout.splitlines()
    print("| package | version | licence |\n|---|---|---|")
    for line in sorted(lines, key=str.lower):
        if match := re.match(r"([\w.-]+)==([\w.+-]+)", line):
            try:
                print(f"| {match[1]} | {match[2]} | {licence(match[1])} |")
            except PackageNotFoundError:
                continue  # of another system


if __name__ == "__main__":
    main()
