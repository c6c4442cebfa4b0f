"""A detector's network as ONNX graphs with explicit state, and the files that hold them.

Inputs: real, imaginary: float32 (N, 2 T, BINS), the spectra of T blocks of N streams. ok: bool (N, T), nothing speaks
against speech. Each state: float32 (N, ...). Outputs: figures: float32 (N, T, 3 + K), of each block active (1 for
speech), the spoof logit, the probability of speech, and those of the K families; and each state as "new." and its name.

One graph is for T = 1, which is what live calls need; the other, for any T, is for recordings and for streams that
come back from a long silence. They have the same states.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import TensorProto

from model.checkpoint import read_detector
from model.export.features import features, spectrum_input
from model.export.graph import Graph
from model.export.layers import frontend, head, memory, order_of, recurrent
from model.runtime_file import FORMAT, UNSIGNED, VERSION, runtime_path
from model.stream import Detector


def network_graph(detector: Detector, *, single: bool) -> bytes:
    """Return the file for the CPU's runtime, the same bytes for the same detector. single: for one block a call. Raises
    TypeError for a module without a graph.
    """
    size = sum(parameter.numel() for parameter in detector.parameters())
    detector = copy.deepcopy(detector).cpu().prepared()
    network, families = detector.network, len(detector.config.families)
    g = Graph(single=single)
    x = features(g, detector.features, spectrum_input(g))
    ok = g.input("ok", ("N", "blocks"), TensorProto.BOOL)
    z = frontend(g, network.frontend, x)
    speech = head(g, network.speech, z)
    flat = g.node("Squeeze", speech, g.whole(2))
    active = g.node("And", ok, g.node("Greater", flat, g.constant(np.float32(0.0))))
    y = recurrent(g, network.recurrent, z, order_of(g, active))
    family = g.node("Softmax", head(g, network.family, y), axis=2)
    shown = g.node("Unsqueeze", g.node("Cast", active, to=TensorProto.FLOAT), g.whole(2))
    parts = shown, head(g, network.spoof, y), g.node("Sigmoid", speech), family
    g.output("figures", g.node("Concat", *parts, axis=2), ("N", "blocks", 3 + families))
    facts = {"weights": detector.weights_hash, "config": json.dumps(detector.config.to_dict()), "parameters": str(size)}
    return _signed(g, facts | {"memory": str(memory(network.frontend))})


def _signed(g: Graph, facts: Mapping[str, str]) -> bytes:
    model = g.model()
    model.producer_name = FORMAT
    own = {"format": FORMAT, "version": VERSION, "blocks": "1" if g.single else "any", "sha256": UNSIGNED}
    for key, value in {**facts, **own}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    data: bytes = model.SerializeToString(deterministic=True)
    assert data.count(UNSIGNED.encode()) == 1
    return data.replace(UNSIGNED.encode(), hashlib.sha256(data).hexdigest().encode())


def export_weights(weights: Path) -> list[Path]:
    """Write the networks of a weights file beside it, for the CPU's runtime. Returns the files. Raises CheckpointError
    for weights that cannot be read.
    """
    detector = read_detector(weights)
    paths = []
    for single in (True, False):
        path = runtime_path(weights, single=single)
        partial = path.with_suffix(".partial")
        partial.write_bytes(network_graph(detector, single=single))
        paths.append(partial.replace(path))
    return paths
