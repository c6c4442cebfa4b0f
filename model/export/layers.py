"""Front ends, recurrent parts and heads as graphs, with what they remember as inputs and outputs.

Each kind of module has an entry in FRONTENDS, RECURRENT or HEADS. Convolutions are channels first here, since that is
what onnxruntime convolves fastest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from model.branches import BranchedFrontend, BranchedRecurrent
from model.export.graph import Graph
from model.frontends import CausalConv2d, ConvFrontend, FactoredConv2d, FactoredFrontend, JoinedFrontend, PairFrontend
from model.network import CodecHead, NoRecurrence, OneClassHead, SpeechLstm

FrontendGraph = Callable[[Graph, nn.Module, str, str], str]
HeadGraph = Callable[[Graph, nn.Module, str], str]


T = TypeVar("T")


@dataclass(frozen=True)
class BlockOrder:
    """Moves the active blocks of each stream together for the LSTM, and back; one block a call stays where it is.

    any: bool (N, 1), whether there are some. lengths: int32 (N,), how many. together: int64 (T, N), the places in
    (N * T) of what comes at each turn. back: int64 (N, T), the places in (T * N).
    """

    any: str
    lengths: str = ""
    together: str = ""
    back: str = ""

    def turned(self, g: Graph, x: str, size: int) -> str:
        """Reorder x (N, T, size) -> (T, N, size), the LSTM's order."""
        flat = g.node("Reshape", x, g.whole(*((1, -1, size) if g.single else (-1, size))))
        return flat if g.single else g.node("Gather", flat, self.together)

    def returned(self, g: Graph, y: str, size: int) -> str:
        """Reorder y (T, N, size) -> (N, T, size)."""
        flat = g.node("Reshape", y, g.whole(*((-1, 1, size) if g.single else (-1, size))))
        return flat if g.single else g.node("Gather", flat, self.back)


RecurrentGraph = Callable[[Graph, nn.Module, str, BlockOrder, str], str]


def frontend(g: Graph, module: nn.Module, x: str, prefix: str = "") -> str:
    """Add a front end: features (N, 2 T, F) -> (N, T, D). prefix: of the names of states. Raises TypeError without an
    entry.
    """
    return _entry(FRONTENDS, module, "FRONTENDS")(g, module, x, prefix)


def recurrent(g: Graph, module: nn.Module, x: str, order: BlockOrder, prefix: str = "") -> str:
    """Add a recurrent layer over the active blocks: (N, T, D) -> (N, T, E). Raises TypeError without an entry."""
    return _entry(RECURRENT, module, "RECURRENT")(g, module, x, order, prefix)


def head(g: Graph, module: nn.Module, x: str) -> str:
    """Add a head: (N, T, D) -> (N, T, E). Raises TypeError without an entry."""
    return _entry(HEADS, module, "HEADS")(g, module, x)


def memory(module: nn.Module) -> int:
    """Return the blocks before the present one that what a front end remembers depends on."""
    if isinstance(module, ConvFrontend | FactoredFrontend):  # layers follow each other; all else stands side by side
        convolutions = [layer for layer in module.layers if isinstance(layer, CausalConv2d | FactoredConv2d)]
        return sum(layer.memory // int(layer.conv.stride[0]) for layer in convolutions)
    return max((memory(child) for child in module.children()), default=0)


def order_of(g: Graph, active: str) -> BlockOrder:
    """Return the order for active: bool (N, T)."""
    if g.single:
        return BlockOrder(any=active)
    ones = g.node("Cast", active, to=7)
    counts = g.node("ReduceSum", ones, g.whole(1), keepdims=1)
    shape = g.node("Shape", active)
    streams, blocks = (g.node("Squeeze", g.slice(shape, 0, i, i + 1), g.whole(0)) for i in (0, 1))
    zero, one = g.constant(np.int64(0)), g.constant(np.int64(1))
    rows = g.node("Unsqueeze", g.node("Range", zero, streams, one), g.whole(1))
    # Of two equal values TopK takes the first: active blocks come first, in their order.
    first = g.nodes("TopK", ones, g.slice(shape, 0, 1), count=2, axis=1)[1]
    places = g.node("Add", first, g.node("Mul", rows, blocks))
    turn = g.node("Max", g.node("Sub", g.node("CumSum", ones, one), one), zero)
    back = g.node("Add", g.node("Mul", turn, streams), rows)
    lengths = g.node("Cast", g.node("Squeeze", counts, g.whole(1)), to=6)
    together = g.node("Transpose", places, perm=[1, 0])
    return BlockOrder(g.node("Greater", counts, zero), lengths, together, back)


def _entry(table: dict[type[nn.Module], T], module: nn.Module, name: str) -> T:
    if type(module) not in table:
        raise TypeError(f"{type(module).__name__} has no graph; add one to {name} of model/export/layers.py")
    return table[type(module)]


def _relu_projection(g: Graph, project: nn.Module, x: str) -> str:
    assert isinstance(project, nn.Sequential)
    assert isinstance(project[0], nn.Linear)
    return g.node("Relu", g.affine(x, project[0].weight, project[0].bias))


def _causal_conv(g: Graph, layer: CausalConv2d | FactoredConv2d, x: str, name: str) -> str:
    """x (N, C, frames, bins). It remembers its input of as many blocks as its kernel reaches back, each by itself."""
    conv = layer.conv
    assert isinstance(conv.bias, Tensor), "the normalisation is folded into the convolution"
    step, pad, (memory, bins, channels) = int(conv.stride[0]), int(conv.kernel_size[1]) // 2, layer.shape_in
    shape = channels, step, bins
    names = [f"{name}.{back}" for back in range(memory // step, 0, -1)]
    past = [g.state(each, *shape) for each in names]
    values, strides, pads = [*past, x], [step, int(conv.stride[1])], [0, pad, 0, pad]
    if g.single:
        # The frames of one block are as many channels: no more than one copy, and none of what is remembered.
        for each, value in zip(names, values[1:], strict=True):
            g.new_state(each, value, *shape)
        flat = [g.node("Reshape", value, g.whole(0, -1, 1, bins)) for value in values] if step > 1 else values
        weight = conv.weight.reshape(conv.out_channels, channels, len(values), step, -1).permute(0, 2, 1, 3, 4)
        together = g.node("Concat", *flat, axis=1)
        wide = g.constant(weight.reshape(conv.out_channels, -1, 1, conv.kernel_size[1]))
        y = g.node("Conv", together, wide, g.constant(conv.bias), strides=[1, strides[1]], pads=pads)
    else:
        together = g.node("Concat", *values, axis=2)
        for back, each in zip(range(len(names), 0, -1), names, strict=True):
            end = 2**62 if back == 1 else (1 - back) * step
            g.new_state(each, g.slice(together, 2, -back * step, end), *shape)
        y = g.node("Conv", together, g.constant(conv.weight), g.constant(conv.bias), strides=strides, pads=pads)
    return g.node("Relu", y)


def _across(g: Graph, layer: FactoredConv2d, x: str) -> str:
    """Return the convolution over frequency of x (N, C, frames, bins), which remembers nothing."""
    pad = layer.KERNEL // 2
    weight = g.constant(layer.across.weight)
    return g.node("Conv", x, weight, strides=[1, layer.STRIDE], pads=[0, pad, 0, pad])


def _conv_frontend(g: Graph, module: nn.Module, x: str, prefix: str) -> str:
    assert isinstance(module, ConvFrontend | FactoredFrontend)
    x = g.node("Unsqueeze", x, g.whole(1))
    for i, layer in enumerate(module.layers):
        assert isinstance(layer, CausalConv2d | FactoredConv2d)
        if isinstance(layer, FactoredConv2d):
            x = _across(g, layer, x)
        x = _causal_conv(g, layer, x, f"{prefix}conv{i}")
    turned = x if g.single else g.node("Transpose", x, perm=[0, 2, 1, 3])
    flat = g.node("Reshape", turned, g.whole(0, 1 if g.single else 0, -1))
    return _relu_projection(g, module.project, flat)


def _pair_frontend(g: Graph, module: nn.Module, x: str, prefix: str) -> str:  # noqa: ARG001
    assert isinstance(module, PairFrontend)
    project = module.project[0]
    assert isinstance(project, nn.Linear)
    return _relu_projection(g, module.project, g.node("Reshape", x, g.whole(0, -1, project.in_features)))


def _joined_frontend(g: Graph, module: nn.Module, x: str, prefix: str) -> str:
    assert isinstance(module, JoinedFrontend)
    split = g.nodes("Split", x, g.whole(*module.sizes), count=len(module.sizes), axis=2)
    parts = [
        frontend(g, part, value, f"{prefix}part{i}.")
        for i, (part, value) in enumerate(zip(module.parts, split, strict=True))
    ]
    return g.node("Concat", *parts, axis=2)


def _branched_frontend(g: Graph, module: nn.Module, x: str, prefix: str) -> str:
    assert isinstance(module, BranchedFrontend)
    parts = []
    for i, branch in enumerate(module.branches):
        scaled = g.node("Add", g.node("Mul", x, g.constant(module.scale[i])), g.constant(module.shift[i]))
        parts.append(frontend(g, branch, scaled, f"{prefix}branch{i}."))
    return g.node("Concat", *parts, axis=2)


FRONTENDS: dict[type[nn.Module], FrontendGraph] = {
    ConvFrontend: _conv_frontend,
    FactoredFrontend: _conv_frontend,
    PairFrontend: _pair_frontend,
    JoinedFrontend: _joined_frontend,
    BranchedFrontend: _branched_frontend,
}


def _gates(weight: Tensor, hidden: int) -> Tensor:
    """Return the rows of torch's order input, forget, cell, output in the order of ONNX: input, output, forget,
    cell."""
    i, f, c, o = torch.split(weight, hidden)
    return torch.cat([i, o, f, c])


def _speech_lstm(g: Graph, module: nn.Module, x: str, order: BlockOrder, prefix: str) -> str:
    assert isinstance(module, SpeechLstm)
    hidden, size = module.hidden, module.lstm.input_size
    y = order.turned(g, x, size)
    for layer, (w, r, b_w, b_r) in enumerate(module.lstm.all_weights):
        names = [f"{prefix}{part}{layer}" for part in "hc"]
        biases = torch.cat([_gates(bias, hidden) for bias in (b_w, b_r)])
        weights = [g.constant(tensor[None]) for tensor in (_gates(w, hidden), _gates(r, hidden), biases)]
        old = [g.state(name, hidden) for name in names]
        held = [g.node("Unsqueeze", state, g.whole(0)) for state in old]
        out = g.nodes("LSTM", y, *weights, order.lengths, *held, count=3, hidden_size=hidden)
        y = g.node("Squeeze", out[0], g.whole(1))
        for name, was, now in zip(names, old, out[1:], strict=True):
            g.new_state(name, g.node("Where", order.any, g.node("Squeeze", now, g.whole(0)), was), hidden)
    return order.returned(g, y, hidden)


def _no_memory(g: Graph, module: nn.Module, x: str, order: BlockOrder, prefix: str) -> str:  # noqa: ARG001
    return x


def _branched_recurrent(g: Graph, module: nn.Module, x: str, order: BlockOrder, prefix: str) -> str:
    assert isinstance(module, BranchedRecurrent)
    split = g.nodes("Split", x, g.whole(*module.sizes), count=len(module.sizes), axis=2)
    parts = [
        recurrent(g, branch, value, order, f"{prefix}branch{i}.")
        for i, (branch, value) in enumerate(zip(module.branches, split, strict=True))
    ]
    return g.node("Concat", *parts, axis=2)


RECURRENT: dict[type[nn.Module], RecurrentGraph] = {
    SpeechLstm: _speech_lstm,
    NoRecurrence: _no_memory,
    BranchedRecurrent: _branched_recurrent,
}


def _linear(g: Graph, module: nn.Module, x: str) -> str:
    assert isinstance(module, nn.Linear)
    return g.affine(x, module.weight, module.bias)


def _one_class(g: Graph, module: nn.Module, x: str) -> str:
    assert isinstance(module, OneClassHead)
    length = g.node("Max", g.node("ReduceL2", x, axes=[2]), g.constant(np.float32(1e-12)))
    cosine = g.affine(g.node("Div", x, length), nn.functional.normalize(module.weight, dim=1), None)
    middle = g.constant(np.float32(module.SCALE * (module.GENUINE + module.SPOOF) / 2))
    return g.node("Sub", middle, g.node("Mul", cosine, g.constant(np.float32(module.SCALE))))


def _codec(g: Graph, module: nn.Module, x: str) -> str:
    assert isinstance(module, CodecHead)
    logit, coded = _linear(g, module.spoof, x), g.node("Sigmoid", _linear(g, module.codec, x))
    change = g.node("Add", g.node("Mul", logit, g.constant(module.scale - 1.0)), g.constant(module.offset))
    return g.node("Add", logit, g.node("Mul", coded, change))


HEADS: dict[type[nn.Module], HeadGraph] = {nn.Linear: _linear, OneClassHead: _one_class, CodecHead: _codec}
