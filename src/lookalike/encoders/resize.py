"""Networks in ONNX that look at pictures with more pixels, or fewer.

A network that is taught on parts of pictures sees things larger than they are in whole ones; a few pixels more put that
right, without more teaching. Touvron, Vedaldi, Douze and Jégou, *Fixing the train-test resolution discrepancy* (2019).

This module imports onnx.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from lookalike.core.errors import EncoderError

__all__ = ["resize"]


def resize(source: Path, target: Path, size: tuple[int, int]) -> None:
    """Write a network whose pictures have another size; its weights stay.

    Parameters
    ----------
    source, target : Path
        ``.onnx`` files.
    size : tuple of int
        Height and width.

    Raises
    ------
    EncoderError
        The file is no network, or one for pictures of one size alone, as those with embeddings of positions are.
    """
    try:
        model = onnx.load(str(source))
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"{source}: not a network in ONNX ({reason})") from error
    pixels = model.graph.input[0]
    for dimension, side in zip(pixels.type.tensor_type.shape.dim[2:4], size, strict=True):
        dimension.dim_value = side
    del model.graph.value_info[:]  # shapes between the layers, which are others now
    onnx.save(model, str(target))
    try:
        session = onnxruntime.InferenceSession(str(target), _quiet(), providers=["CPUExecutionProvider"])
        session.run(None, {pixels.name: np.zeros((2, 3, *size), np.float32)})
    except Exception as error:
        height, width = size
        raise EncoderError(f"{source}: cannot look at pictures of {height} x {width} pixels") from error


def _quiet() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return options
