#!/bin/sh
# resemble-perth: where a package is missing, its watermarker is None; nothing says which, and pip knows of none.
#
# One would guess that installing a package installs what it imports, and that a missing import says its name. The wheel
# names no dependency, although it imports numpy, torch, torchaudio, librosa, scipy, yaml and pkg_resources. perth
# catches the ImportError and sets PerthImplicitWatermarker = None, so that the first to know is
# "TypeError: 'NoneType' object is not callable". pkg_resources is the one that a complete environment lacks: setuptools
# 82 took it out. Import the class from where it is defined, and the error names what is missing.
#
# Seen with resemble-perth 1.0.1:
#   dependencies: None
#   setuptools 84.2.1: perth.PerthImplicitWatermarker is None; No module named 'pkg_resources'
#   setuptools 80.9.0: perth.PerthImplicitWatermarker is None; No module named 'torch'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
for setuptools in 84.2.1 80.9.0; do
  uv pip install --quiet --python "$folder/env/bin/python" resemble-perth==1.0.1 numpy==2.2.6 "setuptools==$setuptools"
  "$folder/env/bin/python" -W ignore - "$setuptools" <<'EOF'
import sys
from importlib.metadata import requires

import perth

version = sys.argv[1]
if version == "84.2.1":
    print("dependencies:", requires("resemble-perth"))
try:
    from perth.perth_net.perth_net_implicit.perth_watermarker import PerthImplicitWatermarker
except ImportError as error:
    missing = error
print(f"setuptools {version}: perth.PerthImplicitWatermarker is {perth.PerthImplicitWatermarker}; {missing}")
assert not requires("resemble-perth")
assert perth.PerthImplicitWatermarker is None
assert missing.name == {"84.2.1": "pkg_resources", "80.9.0": "torch"}[version]
EOF
done
