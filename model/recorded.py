"""The operations of a function of tensors, recorded once and run without Python between them.

For one stream Python takes longer than the arithmetic of a step. In a server of many calls it takes the other threads'
time, too: each of hundreds of operations gives the interpreter's lock away and has to get it back; a recorded function
does so once. It computes the same bits: the operations are the same, and none are fused.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Named = Mapping[str, Tensor]


class Recorded:
    """A function of named tensors -> named tensors, on a CPU. It must do the same operations whatever the tensors hold,
    for any size of their first axis; all other sizes are those of the example's, whose first axis is longer than 1.

    Records by torch.jit.trace, which torch will give up one day in favour of compilers: those need a C++ compiler where
    the program runs.
    """

    def __init__(self, function: Callable[[Named], Named], example: Named) -> None:
        self._into = tuple(example)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # It is deprecated, and sees sizes compared, which are fixed.
            self._out_of = tuple(function(example))  # And what it makes once and keeps is then no part of the record.

            def flat(*tensors: Tensor) -> tuple[Tensor, ...]:
                return tuple(function(dict(zip(self._into, tensors, strict=True))).values())

            self._run: Any = torch.jit.trace(flat, tuple(example.values()), check_trace=False)  # type: ignore[no-untyped-call]

    def __call__(self, tensors: Named) -> dict[str, Tensor]:
        """Raises RuntimeError as the function does."""
        try:
            # As recorded: the optimiser would first watch a few runs, for each size, and finds nothing to gain.
            with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
                results = self._run(*(tensors[name] for name in self._into))
        except RuntimeError as error:  # What went wrong stands behind a page of what called what.
            raise RuntimeError(str(error).strip().rpartition("RuntimeError: ")[2]) from error
        return dict(zip(self._out_of, results, strict=True))
