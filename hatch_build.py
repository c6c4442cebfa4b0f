"""Lays out the wheel: one top-level package, monitor, with model and training inside it.

In the repository the three stand side by side. In an environment that others share, top-level packages with names as
common as "model" and "training" would collide with those of other projects. So the wheel holds them as monitor.model
and monitor.training, and their imports are rewritten; nothing else of the code is. An editable install is left alone.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TOP = "monitor"
INSIDE = ("model", "training")
_IMPORT = re.compile(rf"^(\s*)(from|import) ({'|'.join(INSIDE)})(?=[.\s])", re.MULTILINE)
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def rewritten(source: str) -> str:
    """Return a module whose imports of model and training go through monitor."""
    return _IMPORT.sub(rf"\1\2 {TOP}.\3", source)


class WheelLayoutHook(BuildHookInterface):  # type: ignore[type-arg, misc]
    """Copies the packages to a temporary folder, rewrites them there, and has hatchling take that."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Prepare the wheel. version: "editable" is left alone."""
        if version == "editable":
            return
        root = Path(self.root)
        self._copy = tempfile.TemporaryDirectory(prefix="wheel-")
        place = Path(self._copy.name) / TOP
        shutil.copytree(root / TOP, place, ignore=_LEFT_OUT)
        for name in INSIDE:
            shutil.copytree(root / name, place / name, ignore=_LEFT_OUT)
        for path in place.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if (changed := rewritten(text)) != text:
                path.write_text(changed, encoding="utf-8")
        build_data["force_include"][str(place)] = TOP
        scripts = self.metadata.core.scripts
        for name, target in scripts.items():
            if target.partition(".")[0] in INSIDE:
                scripts[name] = f"{TOP}.{target}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the copy."""
        del build_data, artifact_path
        if version != "editable":
            self._copy.cleanup()
