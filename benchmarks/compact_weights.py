"""Turn a file that was taught back into weights that a training can begin with.

    python benchmarks/compact_weights.py --pictures FOLDER --output FILE.safetensors [--network FILE.onnx]

An exported file holds convolutions with their normalisation folded in, which learns badly. Here they are taken apart
again: statistics are those of 512 pictures of the folder, rows of a convolution are scaled to 1.5 times the length that
they would have by chance, and the normalisation gives that back, so that the features are the same. Without `--network`
the file is that of the shipped encoder `compact`; `compact_pictures.py` prints what to do with the weights.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from compact_pictures import student
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import nn

from lookalike.embedding.encoder import load_encoder
from lookalike.encoders.compact import FILE
from lookalike.encoders.load import load_random
from lookalike.encoders.network import NetworkEncoder

PICTURES, LENGTH, SEED = 512, 1.5, 0
HALF = ".half"
"""Ends the names of weights that were rounded to 16 bits."""

Layer = tuple[nn.Conv2d, nn.BatchNorm2d]


def folded(path: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return the kernels and shifts of a file's convolutions, in the order in which they run."""
    graph = onnx.load(str(path)).graph
    held = {one.name.removesuffix(HALF): numpy_helper.to_array(one).astype(np.float32) for one in graph.initializer}
    names = [node.input[1:3] for node in graph.node if node.op_type == "Conv"]
    return [tuple(torch.from_numpy(held[name.removesuffix(HALF)].copy()) for name in pair) for pair in names]


def layers_of(network: nn.Module, pixels: torch.Tensor) -> list[Layer]:
    """Return the convolutions of a network with the normalisations behind them, in the order in which they run."""
    order: list[nn.Module] = []
    kinds = (nn.Conv2d, nn.BatchNorm2d)
    hooks = [
        module.register_forward_hook(lambda one, *_: order.append(one))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    network(pixels[:1])
    for hook in hooks:
        hook.remove()
    return [
        (first, second)
        for first, second in pairwise(order)
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d)
    ]


def put_in(layers: list[Layer], weights: list[tuple[torch.Tensor, torch.Tensor]]) -> list[torch.Tensor]:
    """Give layers the weights of a file; return by how much each row of a convolution was made longer."""
    longer = []
    for (convolution, normal), (kernel, shift) in zip(layers, weights, strict=False):
        length = LENGTH * convolution.weight.norm() / len(kernel) ** 0.5
        scale = length / kernel.flatten(1).norm(dim=1).clamp(min=1e-6)
        convolution.weight.copy_(kernel * scale[:, None, None, None])
        normal.running_mean.zero_()
        normal.running_var.fill_(1 - normal.eps)
        normal.weight.copy_(1 / scale)
        normal.bias.copy_(shift)
        longer.append(scale)
    return longer


def normalise(layers: list[Layer], longer: list[torch.Tensor], network: nn.Module, pixels: torch.Tensor) -> None:
    """Let normalisations hold the statistics of pictures, without changing what comes out."""
    seen: dict[nn.Module, tuple[torch.Tensor, torch.Tensor]] = {}

    def note(one: nn.Module, _: object, maps: torch.Tensor) -> None:
        seen[one] = torch.var_mean(maps.double(), (0, 2, 3), correction=0)

    hooks = [convolution.register_forward_hook(note) for convolution, _ in layers]
    network(pixels)
    for hook in hooks:
        hook.remove()
    for (convolution, normal), scale in zip(layers, longer, strict=True):
        variance, mean = seen[convolution]
        normal.bias.add_(mean / scale)
        normal.running_mean.copy_(mean)
        normal.running_var.copy_(variance)
        normal.weight.copy_((variance + normal.eps).sqrt() / scale)


def pixels_of(encoder: NetworkEncoder, folder: Path) -> torch.Tensor:
    """Return pictures of a folder as the network is given them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    drawn = np.random.default_rng(SEED).permutation(len(files))[:PICTURES]
    shown = load_encoder("compact")
    pixels = np.stack([shown.pixels(files[row]) for row in drawn]) / np.float32(255)
    pixels = (pixels - np.array(encoder.mean, np.float32)) / np.array(encoder.std, np.float32)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--network", type=Path, default=FILE)
    given = parser.parse_args()
    encoder = load_random(student(), 0, "cpu")
    network, pixels = encoder.module.module.eval(), pixels_of(encoder, given.pictures)
    weights = folded(given.network)
    layers = layers_of(network, pixels)[: len(weights)]
    longer = put_in(layers, weights)
    before = encoder.module(pixels)
    normalise(layers, longer, network, pixels)
    print(f"features differ by {(encoder.module(pixels) - before).abs().max():.1e} at most")
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, given.output)


if __name__ == "__main__":
    main()
