#!/bin/sh
# onnxruntime on a CPU: some operators turn NaN into a number, and one decides by where the NaN stands.
#
# One would guess that NaN comes out wherever NaN goes in, as IEEE 754, numpy and torch have it; a detector could then
# trust that damaged input never looks like a result. Most operators keep to that (Relu, Clip, Tanh, Softmax, LSTM).
# Erf(NaN) is 1. ReduceMax and ReduceMin give NaN if the first element is NaN, and pass over it anywhere else. MaxPool
# passes over it too, and gives the lowest float for a window that is all NaN.
#
# Seen with onnxruntime 1.24.1 (x86-64):
#   Erf [nan] = [1.]
#   ReduceMax [nan, 1, 2] = [nan], [1, nan, 2] = [2.]
#   MaxPool [1, nan, nan, nan] = [1.0, -3.4028235e+38]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" onnxruntime==1.24.1 onnx==1.20.1 numpy==2.2.6
"$folder/env/bin/python" - <<'EOF'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

NAN = float("nan")


def run(operator: str, x: list, **attributes: object) -> np.ndarray:
    """One operator over x, float32."""
    data = np.array(x, np.float32)
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], **attributes)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, data.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": data})[0]


erf = run("Erf", [NAN])
first, second = (run("ReduceMax", x, axes=[0], keepdims=1) for x in ([NAN, 1, 2], [1, NAN, 2]))
pooled = run("MaxPool", [[[1, NAN, NAN, NAN]]], kernel_shape=[2], strides=[2])[0, 0]
print("Erf [nan] =", erf)
print("ReduceMax [nan, 1, 2] =", first, "[1, nan, 2] =", second)
print("MaxPool [1, nan, nan, nan] =", pooled.tolist())
assert all(np.isnan(run(name, [NAN])).all() for name in ("Relu", "Tanh", "Sigmoid", "Exp"))
assert erf[0] == 1.0
assert np.isnan(first[0]) and second[0] == 2.0
assert pooled[0] == 1.0 and pooled[1] == np.finfo(np.float32).min
EOF
