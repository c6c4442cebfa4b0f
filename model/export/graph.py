"""A small builder of ONNX graphs: nodes are named in order, so that the same network gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

OPSET, IR_VERSION = 17, 9
"""What onnxruntime 1.16 and later read (https://onnxruntime.ai/docs/reference/compatibility.html)."""

Size = int | str
"""A fixed size, or the name of one that is known when the graph runs."""

NEW = "new."
"""What the name of a state begins with where it leaves the graph."""


class Graph:
    """Nodes, constants, inputs and outputs; values go by their names.

    single: the graph is for one block a call, which saves most of the copies; else for any number.
    """

    def __init__(self, *, single: bool) -> None:
        self.single = single
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._whole: dict[tuple[int, ...], str] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: dict[str, tuple[str, Sequence[Size]]] = {}

    def constant(self, value: Tensor | NDArray[Any] | np.generic) -> str:
        """Return a tensor that belongs to the graph."""
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def whole(self, *values: int) -> str:
        """Return an int64 vector, such as a shape or axes."""
        if values not in self._whole:
            self._whole[values] = self.constant(np.array(values, dtype=np.int64))
        return self._whole[values]

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Return an operator with one output. "" stands for an input that is left out."""
        return self.nodes(operator, *inputs, count=1, **attributes)[0]

    def nodes(self, operator: str, *inputs: str, count: int, **attributes: Any) -> list[str]:
        """Return an operator with several outputs."""
        outputs = [f"value{len(self._nodes)}.{i}" for i in range(count)]
        self._nodes.append(helper.make_node(operator, list(inputs), outputs, **attributes))
        return outputs

    def slice(self, value: str, axis: int, start: int, end: int = 2**62) -> str:
        return self.node("Slice", value, *(self.whole(number) for number in (start, end, axis)))

    def affine(self, value: str, weight: Tensor, bias: Tensor | None) -> str:
        """Pass value (..., D) through a linear layer of weight (E, D): (..., E)."""
        product = self.node("MatMul", value, self.constant(weight.T))
        return product if bias is None else self.node("Add", product, self.constant(bias))

    def input(self, name: str, shape: Sequence[Size], kind: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, value: str, shape: Sequence[Size]) -> None:
        """Let a value leave the graph under a name."""
        self._outputs[name] = value, shape

    def state(self, name: str, *shape: int) -> str:
        """Return a state (N, *shape), which new_state() must give on."""
        return self.input(name, ("N", *shape))

    def new_state(self, name: str, value: str, *shape: int) -> None:
        self.output(NEW + name, value, ("N", *shape))

    def model(self) -> onnx.ModelProto:
        """Return the model, checked. Raises onnx.checker.ValidationError for a graph that is wrong."""
        nodes, outputs = self._named()
        graph = helper.make_graph(nodes, "network", self._inputs, outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model

    def _named(self) -> tuple[list[onnx.NodeProto], list[onnx.ValueInfoProto]]:
        """Return the nodes with the names of the outputs in place; a value that leaves twice, or an input, is
        copied."""
        made = {output for node in self._nodes for output in node.output}
        names: dict[str, str] = {}
        copies, outputs = [], []
        for name, (value, shape) in self._outputs.items():
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
            if value in made and value not in names:
                names[value] = name
            else:
                copies.append(helper.make_node("Identity", [value], [name]))
        nodes = [*self._nodes, *copies]
        for node in nodes:
            for field in (node.input, node.output):
                field[:] = [names.get(value, value) for value in field]
        return nodes, outputs
