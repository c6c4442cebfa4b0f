"""Scorers: blocks of audio in, figures out, with the streams' states inside. onnxruntime on a CPU, torch on a GPU."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# onnxruntime reads it as it is imported. Without it, it writes an identifier of this machine to the user's cache, and
# sends figures of its use to its makers.
