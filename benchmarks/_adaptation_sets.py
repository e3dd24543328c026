"""Features of the maintainers' data sets by their five networks, for `adaptation.py`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lookalike import Features, load_encoder
from lookalike.core.progress import Progress
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_cache import cached_features
from lookalike.embedding.lens import Lens
from lookalike.jobs.export_encoder import export_encoder

# The last stages of each network; the two ONNX files have one output.
NETWORKS = {
    "squeezenet1_1_imagenet.safetensors": "torchvision:squeezenet1_1[features.9,features.10,features.11,features.12]",
    "mobilenetv2_100_tf2_imagenet_ptq.safetensors": (
        "timm:mobilenetv2_100[blocks.4,blocks.5,blocks.6,global_pool,pad_type=same]"
    ),
    "efficientnet_b4_cut_imagenet.safetensors": (
        "timm:efficientnet_b4[blocks.4,blocks.5,blocks.6,global_pool,pad_type=same,bn_eps=0.001,drop=blocks.6.1]"
    ),
    "squeezenet_bn_places365.onnx": "",
    "mobilenetv2_gluon_imagenet.onnx": "",
}


def tell(step: Progress) -> None:
    sys.stderr.write(f"\r{step.stage[-60:]} {step.done}/{step.total}   ")


def encoders(weights: Path, cache: Path) -> dict[str, str]:
    """Return encoder names by the networks' short names; the torch ones are exported to ONNX with their taps."""
    names = {}
    for file, name in NETWORKS.items():
        stem = Path(file).stem
        path = cache / f"{stem}.onnx" if name else weights / file
        if not path.exists():
            print(f"exporting {name}", file=sys.stderr)
            export_encoder(path, name, weights / file)
        names[stem] = f"onnx:{path}"
    return names


def features(
    names: Mapping[str, str], images: Mapping[str, Path], cache: Path, lens: Lens | None = None
) -> dict[str, Features]:
    """Return unit features by network, and those of all networks side by side."""
    workspace = Workspace(cache / "workspace")
    found = {}
    for network, name in names.items():
        raw = cached_features(workspace, load_encoder(name), images, tell, lens=lens)
        found[network] = Features(raw.ids, raw.vectors / np.linalg.norm(raw.vectors, axis=1, keepdims=True))
    found[f"all {len(names)}"] = Features.concatenate(list(found.values()))
    return found


def default_cache() -> Path:
    return Path(tempfile.gettempdir()) / "lookalike-adaptation"
