"""Go on teaching a student that was taught before: it begins with its global vector, and with heads that know it.

This module imports torch and onnx.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from lookalike.core.errors import EncoderError
from lookalike.training.distillation import Lessons, Prepare
from lookalike.training.student import Student, Upper

__all__ = ["begin_with", "fit_heads"]

SUMMIT = "summit."
"""Begins the names of the tensors of an exported student that lie above its taps."""

HALF = ".half"
"""Ends the names of weights that `lookalike.encoders.shrink.halve` rounded."""

PICTURES, AT_ONCE = 2048, 64
RIDGE = 1e-3


def begin_with(student: Student, path: Path) -> None:
    """Give a student the layers above the taps of one that was exported.

    Parameters
    ----------
    student : Student
        Changed in place.
    path : Path
        The ``.onnx`` file of a student with the same taps.

    Raises
    ------
    EncoderError
        The file is no network, no student, or one with other taps or another global vector.
    """
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"{path}: not a network in ONNX ({reason})") from error
    values = _tensors(graph)
    wanted = {SUMMIT + name: tensor for name, tensor in student.upper.summit.state_dict().items() if tensor.ndim}
    if not wanted.keys() <= values.keys():
        raise EncoderError(f"{path} is no exported student: take the .onnx file that a distillation wrote")
    for name, tensor in wanted.items():
        if values[name].shape != tensor.shape:
            theirs, ours = (" x ".join(map(str, one.shape)) for one in (values[name], tensor))
            raise EncoderError(f"{path} has other taps, or another global vector: {name} is {theirs}, not {ours}")
    student.upper.summit.load_state_dict({name.removeprefix(SUMMIT): values[name] for name in wanted}, strict=False)


def _tensors(graph: Any) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name; of equal ones a file holds one, and says what else it is called."""
    found = {
        one.name.removesuffix(HALF): torch.from_numpy(numpy_helper.to_array(one).astype(np.float32))
        for one in graph.initializer
    }
    also = [(node.output[0], node.input[0]) for node in graph.node if node.op_type == "Identity"]
    return found | {name: found[one] for name, one in also if one in found}


def fit_heads(student: Student | Upper, prepare: Prepare, lessons: Lessons) -> None:
    """Let the heads of a student say what its teachers say, as well as its vectors tell: by least squares.

    Heads of chance would pull at all that it knows.

    Parameters
    ----------
    student : Student or Upper
        Its heads are changed in place.
    prepare : callable
    lessons : Lessons
        Some of its pictures are looked at, as they are.
    """
    upper = student.upper if isinstance(student, Student) else student
    rows = lessons.train[:: -(-len(lessons.train) // PICTURES)]
    was, vectors = student.training, []
    student.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), AT_ONCE):
            shown = np.stack([lessons.view(int(row), 0, False) for row in rows[start : start + AT_ONCE]])
            vectors.append(student.embeddings(prepare(shown)).double())
    student.train(was)
    known = torch.cat(vectors)
    known = torch.cat([known, torch.ones_like(known[:, :1])], 1)
    scatter = known.T @ known
    scatter += (
        RIDGE * scatter.trace() / len(scatter) * torch.eye(len(scatter), dtype=scatter.dtype, device=known.device)
    )
    said = lessons.rows_of(np.zeros(len(rows), np.int64), rows)
    with torch.no_grad():
        for head, one in zip(upper.heads, said, strict=True):
            solved = torch.linalg.solve(scatter, known.T @ torch.from_numpy(one).to(known))
            head.weight.copy_(solved[:-1].T)
            head.bias.copy_(solved[-1])
