"""Networks of three resolutions: what they see, whose weights they begin with, and that they can be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from lookalike.core.errors import EncoderError, UnknownNameError  # noqa: E402
from lookalike.encoders.export import export_onnx  # noqa: E402
from lookalike.encoders.load import encoder_names, load_pixels  # noqa: E402
from lookalike.encoders.simnet_network import conv_branches, pooled_branches  # noqa: E402
from lookalike.encoders.torch_import import import_torchvision  # noqa: E402
from lookalike.training.matching import Matching  # noqa: E402
from lookalike.training.matching_settings import matching_settings  # noqa: E402
from lookalike.training.matching_things import dealt_things, pictured_things  # noqa: E402
from lookalike.training.processes import Processes  # noqa: E402

SMALL = "mobilenet_v2[size=32,width_mult=0.1,dim=16,width=6{}]"
NAMES = ["simnet:" + SMALL.format(""), "deeprank:" + SMALL.format(",hidden=24")]
PICTURES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "mobilenet.pth"
    torch.save(import_torchvision().models.mobilenet_v2(width_mult=0.1).state_dict(), path)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_three_resolutions_under_one_embedding(backbone: Path, name: str, tmp_path: Path) -> None:
    encoder = load_pixels(name, backbone, "cpu")
    network = encoder.module.module
    features = encoder.forward(PICTURES)
    assert features.shape == (2, 16)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    pixels = torch.randn(2, 3, 32, 32)
    parts = network.parts(pixels)
    deep = 24 if name.startswith("deeprank") else 1280
    widths = [deep, *(int(branch(pixels)[0].numel()) for branch in network.branches)]
    assert parts.shape[1] == sum(widths) == network.joint.in_features
    for part in torch.split(parts, widths, dim=1):
        torch.testing.assert_close(part.norm(dim=1), torch.ones(2))
    again = load_pixels(name, backbone, "cpu")
    np.testing.assert_array_equal(again.forward(PICTURES), features)  # what no file holds is always the same
    own = torch.load(backbone)
    assert torch.equal(network.backbone.features[0][0].weight, own["features.0.0.weight"])
    torch.save(network.state_dict(), tmp_path / "whole.pth")
    np.testing.assert_array_equal(load_pixels(name, tmp_path / "whole.pth", "cpu").forward(PICTURES), features)
    assert export_onnx(encoder, tmp_path / "net.onnx").relative_error < 1e-4


def test_branches_have_the_published_shapes() -> None:
    pixels = torch.zeros(1, 3, 224, 224)
    assert [tuple(branch(pixels).shape) for branch in pooled_branches(96)] == [(1, 96, 4, 4)] * 2
    assert [tuple(branch(pixels).shape) for branch in conv_branches(96)] == [(1, 96, 7, 7), (1, 96, 4, 4)]
    assert [sum(isinstance(m, torch.nn.Conv2d) for m in branch.modules()) for branch in conv_branches(96)] == [3, 3]


def test_wrong_names_options_and_files_are_told(backbone: Path, tmp_path: Path) -> None:
    assert {"simnet:vgg16", "deeprank:vgg16"} <= set(encoder_names())
    for name, kind, message in (
        ("simnet:resnet19", UnknownNameError, "did you mean resnet18"),
        ("simnet:resnet18[hidden=8]", EncoderError, "hidden is for deeprank"),
        ("deeprank:resnet18[dropout=1]", EncoderError, "dropout is at least 0 and below 1"),
        ("simnet:resnet18[dim=0]", EncoderError, "dim is a whole number from 1"),
        ("simnet:resnet18[size=32]", EncoderError, "does not fit the network"),
    ):
        with pytest.raises(kind, match=message):
            load_pixels(name, backbone, "cpu")
    state = {key: value for key, value in torch.load(backbone).items() if not key.startswith("features.3.")}
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(EncoderError, match=r"of its .* tensors are missing"):
        load_pixels(NAMES[0], tmp_path / "part.pth", "cpu")


@pytest.mark.parametrize(("name", "preset"), [(NAMES[0], "curriculum"), (NAMES[1], "deeprank")])
def test_they_are_trained_by_the_loop_of_all_networks(backbone: Path, tmp_path: Path, name: str, preset: str) -> None:
    rng, files = np.random.default_rng(0), [tmp_path / f"{number:02}.png" for number in range(16)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (2, 2, 3), np.uint8)).resize((40, 40), Image.Resampling.NEAREST).save(file)
    torch.set_num_threads(1)
    encoder = load_pixels(name, backbone, "cpu")
    settings = matching_settings({"preset": preset, "epochs": 1, "batch": 8, "keep": "last", "learning_rate": 0.01})
    things = dealt_things(pictured_things(np.arange(16)), 0, settings.validation, 0)
    run = Matching([encoder], files, things, settings, Processes())
    before: dict[str, Any] = {name: value.clone() for name, value in run._network.trained().items()}
    done = run.train()
    assert len(done.history) == 1
    moved = {name for name, value in run._network.trained().items() if not torch.equal(value, before[name])}
    for part in ("backbone.features.0.0", "branches.0", "branches.1", "joint"):
        assert any(f"module.{part}" in name for name in moved), part
    run.export(tmp_path / "trained.onnx")
