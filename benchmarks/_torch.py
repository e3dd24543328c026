"""PyTorch networks for benchmarks, as ONNX files; and the plain loop that people write around them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from PIL import Image

from lookalike.encoders.torch_import import import_torchvision

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE = 224
CARD = {"input_size": SIZE, "mean": MEAN, "std": STD}


def torchvision_models() -> ModuleType:
    """Import torchvision's models, also beside a CPU-only torch."""
    return import_torchvision().models


def pooled(features: torch.nn.Module) -> torch.nn.Module:
    """Average a network's last map over space."""
    return torch.nn.Sequential(features, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()


def mobilenet() -> torch.nn.Module:
    """Return torchvision's MobileNetV2 without its classifier, seeded random weights (time does not depend on them)."""
    torch.manual_seed(0)
    return pooled(torchvision_models().mobilenet_v2(weights=None).features)


def load_shared(file: str, folder: Path) -> torch.nn.Module:
    """Build one of the maintainers' three PyTorch networks, weights loaded and checked."""
    models = torchvision_models()
    import timm
    from safetensors.torch import load_file

    if file.startswith("squeezenet"):
        network = models.squeezenet1_1()
    elif file.startswith("mobilenetv2"):
        network = timm.create_model("mobilenetv2_100", pad_type="same", num_classes=0)
    else:
        network = timm.create_model("efficientnet_b4", num_classes=0, pad_type="same", bn_eps=1e-3)
        network.blocks[6] = torch.nn.Sequential(network.blocks[6][0])
    weights = {key: value.float() for key, value in load_file(folder / file).items()}
    missing, unexpected = network.load_state_dict(weights, strict=False)
    assert all(key.endswith("num_batches_tracked") for key in missing), missing
    assert all(key.startswith("classifier") for key in unexpected), unexpected
    return pooled(network.features) if file.startswith("squeezenet") else network.eval()


def export(network: torch.nn.Module, path: Path, card: Mapping[str, object]) -> None:
    """Write a network as ONNX, with its card beside it."""
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
    path.with_suffix(".json").write_text(json.dumps(dict(card)))


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
