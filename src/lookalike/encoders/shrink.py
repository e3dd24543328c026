"""Smaller files of networks in ONNX: weights of 16 bits that compute in 32, or numbers of 8 bits throughout.

This module imports onnx.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from lookalike.core.errors import EncoderError
from lookalike.core.types import Vectors

__all__ = ["SMALLEST", "halve", "quantise"]

SMALLEST = 64
"""Tensors with fewer numbers stay as they are: they weigh nothing."""


def halve(source: Path, target: Path) -> None:
    """Write a network with its weights as 16-bit numbers, which are widened when it is loaded: it computes as before.

    Numbers beyond the range of 16 bits are refused; others lose all but 11 bits.

    Parameters
    ----------
    source, target : Path
        ``.onnx`` files.

    Raises
    ------
    EncoderError
        The file is no network, or a weight is beyond 65,504.
    """
    model = _read(source)
    kept, casts = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST:
            kept.append(tensor)
            continue
        if not np.abs(values).max() < np.finfo(np.float16).max:
            raise EncoderError(f"{source}: the tensor {tensor.name} has numbers beyond 16 bits")
        small = f"{tensor.name}.half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), small))
        casts.append(helper.make_node("Cast", [small], [tensor.name], to=onnx.TensorProto.FLOAT))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, str(target))


def quantise(source: Path, target: Path, inputs: Iterable[Vectors]) -> None:
    """Write a network that computes in 8 bits: weights by channel, what flows between layers by ranges it was seen in.

    Parameters
    ----------
    source, target : Path
        ``.onnx`` files.
    inputs : iterable of float32 (n, 3, H, W)
        What it is given for pictures like those it is for; some hundred of them are enough.

    Raises
    ------
    EncoderError
        The file is no network that can be quantised.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization import shape_inference

    name = _read(source).graph.input[0].name
    # 7 bits of a weight: products of 8 bits overflow in pairs on processors without instructions for them.
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepared = Path(folder) / "prepared.onnx"
            shape_inference.quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantization.quantize_static(
                str(prepared), str(target), _Reader(name, inputs), per_channel=True, reduce_range=True,
                activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            )  # fmt: skip
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"{source}: cannot be computed in 8 bits: {reason}") from error
    finally:
        log.setLevel(level)


class _Reader:
    """Gives ONNX Runtime what ranges are sought with, batch by batch."""

    def __init__(self, name: str, inputs: Iterable[Vectors]) -> None:
        self._name = name
        self._left: Iterator[Vectors] = iter(inputs)

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._left, None)
        return None if batch is None else {self._name: batch}


def _read(path: Path) -> Any:
    try:
        return onnx.load(str(path))
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"{path}: not a network in ONNX ({reason})") from error
