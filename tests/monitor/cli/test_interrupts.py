"""Ctrl-C within an import waits until the import has ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import signal, sys, time
from monitor.cli.interrupts import spare_imports
spare_imports()
try:
    import loads_slowly
    print("loaded", flush=True)
    time.sleep(10)
except KeyboardInterrupt:
    print("interrupted after" if "loads_slowly" in sys.modules else "interrupted within")
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("and at once elsewhere")
"""


def test_ctrl_c_waits_for_an_import(tmp_path: Path) -> None:
    (tmp_path / "loads_slowly.py").write_text("import signal, time\nsignal.raise_signal(2)\ntime.sleep(0.3)\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    ran = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.splitlines() == ["loaded", "interrupted after", "and at once elsewhere"]
    assert ran.stderr == ""
