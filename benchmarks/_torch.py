"""The plain loop that people write: PyTorch, Pillow, one batch after another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE = 224


def mobilenet() -> torch.nn.Module:
    """Return torchvision's MobileNetV2 without its classifier, seeded random weights (time does not depend on them)."""
    try:
        from torchvision.models import mobilenet_v2
    except RuntimeError:
        # A CPU-only torch beside the ordinary torchvision: its two compiled operators are absent; models need none.
        for name in (
            "nms(Tensor dets, Tensor scores, float t) -> Tensor",
            "qnms(Tensor d, Tensor s, float t) -> Tensor",
        ):
            torch.library.define(f"torchvision::{name.split('(')[0]}", name[name.index("(") :])
        from torchvision.models import mobilenet_v2

    torch.manual_seed(0)
    network = mobilenet_v2(weights=None)
    return torch.nn.Sequential(network.features, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()


def export(network: torch.nn.Module, path: Path) -> None:
    """Write the network as ONNX with its card, so that both sides run the very same one."""
    import json
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, SIZE, SIZE),),
            str(path),
            input_names=["pixels"],
            output_names=["embedding"],
            dynamic_axes={"pixels": {0: "n"}, "embedding": {0: "n"}},
            dynamo=False,
        )
    path.with_suffix(".json").write_text(json.dumps({"input_size": SIZE, "mean": MEAN, "std": STD}))


def plain_loop(network: torch.nn.Module, files: list[Path], batch: int) -> np.ndarray:
    """Encode files as a notebook would: open, convert, resize, stack, forward."""
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    features = []
    with torch.inference_mode():
        for start in range(0, len(files), batch):
            tensors = []
            for file in files[start : start + batch]:
                picture = Image.open(file).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
                tensors.append((torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1) / 255 - mean) / std)
            features.append(network(torch.stack(tensors)).numpy())
    return np.concatenate(features)
