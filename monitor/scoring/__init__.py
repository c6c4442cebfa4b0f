"""Scorers: blocks of audio in, figures out, with the streams' states inside. onnxruntime on a CPU, torch on a GPU."""
