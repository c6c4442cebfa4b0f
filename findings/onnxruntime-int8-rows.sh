#!/bin/sh
# onnxruntime, dynamic int8 quantisation: what a row of a batch gives depends on the other rows.
#
# One would guess that streams stacked in one batch do not touch each other, as with float weights. A model that
# quantize_dynamic() made scales its input by the range of the whole tensor: one loud row makes the steps coarse for
# all. A score then depends on who else is being scored, and a recording scored alone cannot repeat a live score.
#
# Seen with onnxruntime 1.24.1 (x86-64): largest error of a row against float 0.196 alone, 1.527 beside a row that is
# 20 times louder; with float weights the row is the same both times but for rounding.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" onnxruntime==1.24.1 onnx==1.20.1 numpy==2.2.6
"$folder/env/bin/python" - <<'EOF'
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

random = np.random.default_rng(0)
row = random.normal(size=(1, 64)).astype(np.float32)
weights = random.normal(size=(64, 8)).astype(np.float32)
beside = np.concatenate([row, 20 * row])

graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["y"])],
    "graph",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8])],
    [numpy_helper.from_array(weights, "w")],
)
with tempfile.TemporaryDirectory() as folder:
    whole, small = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), whole)
    quantize_dynamic(whole, small)
    errors = {}
    for path in (whole, small):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for name, batch in (("alone", row), ("beside a louder row", beside)):
            errors[path.stem, name] = float(np.abs(session.run(None, {"x": batch})[0][0] - (row @ weights)[0]).max())
for (kind, name), error in errors.items():
    print(f"{kind}, {name}: largest error {error:.3f}")
assert max(errors["float", name] for name in ("alone", "beside a louder row")) < 1e-4
assert errors["int8", "beside a louder row"] > 4 * errors["int8", "alone"]
EOF
