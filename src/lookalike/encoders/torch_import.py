"""torchvision's import, mended where its compiled operators do not fit the torch beside it."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

__all__ = ["import_torchvision"]

ABSENT = (
    ("nms", "(Tensor dets, Tensor scores, float t) -> Tensor"),
    ("qnms", "(Tensor dets, Tensor scores, float t) -> Tensor"),
)


def import_torchvision() -> ModuleType:
    """Import torchvision, also beside a CPU-only torch.

    The wheel's compiled operators need CUDA; without them the import fails, because their schemas are missing. With
    the schemas declared, transforms and models work; only box suppression, which nothing here uses, does not run.
    timm and open_clip import torchvision themselves: call this before them.

    Examples
    --------
    >>> import_torchvision().models.resnet18.__name__
    'resnet18'
    """
    try:
        return import_module("torchvision")
    except RuntimeError:
        from torch import library

        for name, schema in ABSENT:
            library.define(f"torchvision::{name}", schema)
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        return import_module("torchvision")
