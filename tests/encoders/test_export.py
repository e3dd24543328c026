"""Torch networks as ONNX files: the same features, whole files, or none."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
export = pytest.importorskip("lookalike.encoders.export", reason="needs torch")

from torch import nn  # noqa: E402

from lookalike.core.errors import EncoderError  # noqa: E402
from lookalike.encoders.load import load_pixels  # noqa: E402
from lookalike.encoders.name import parse_name  # noqa: E402
from lookalike.encoders.network import Architecture, NetworkEncoder, load_network  # noqa: E402
from lookalike.encoders.onnx import OnnxEncoder  # noqa: E402
from lookalike.encoders.sources import WeightSource  # noqa: E402

Make = Callable[..., NetworkEncoder]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Load a network by name with random weights and statistics."""

    def load(name: str, architecture: Callable[[Any], Architecture]) -> NetworkEncoder:
        parsed = parse_name(name)
        found = architecture(parsed)
        torch.manual_seed(0)
        network = found.build()
        for key, value in network.state_dict().items():
            if "running" in key:
                value.uniform_(0.5, 1.5)
        torch.save(network.state_dict(), tmp_path / "net.pth")
        return load_network(parsed.using(tmp_path / "net.pth"), found, "cpu")

    return load


def toy(build: Callable[[], nn.Module], **options: Any) -> Callable[[Any], Architecture]:
    return lambda name: Architecture(
        "toy", "net", build, WeightSource("net.pth"), **{"input_size": (32, 32), **options}
    )


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def relative(found: Any, expected: Any) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


NETWORKS = [
    "timm:test_resnet[layer1,layer4,pool=gem,size=64]",
    "torchvision:squeezenet1_1[size=64]",
    "timm:mobilenetv2_035[last:3,size=64]",
    "timm:test_efficientnet[blocks.1,pool=gem,pad_type=same,size=64]",
    "timm:test_vit[last:2,tokens=mean,norm=published,size=64]",
    "timm:test_convnext[last:2,size=64]",
    "timm:swin_tiny_patch4_window7_224[layers.0,layers.1,size=112,embed_dim=24,depths=[1,1,1,1],num_heads=[1,2,2,4]]",
]


@pytest.mark.usefixtures("full_precision")
@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_gives_the_networks_features(name: str, make: Make, tmp_path: Path) -> None:
    family = pytest.importorskip(f"lookalike.encoders.{name.partition(':')[0]}")
    encoder = make(name, family.architecture)
    parity = export.export_onnx(encoder, tmp_path / "made" / "net.onnx")
    assert parity.relative_error < 1e-4
    assert (parity.dim, parity.bytes) == (encoder.spec.dim, (tmp_path / "made" / "net.onnx").stat().st_size)
    exported = load_pixels(f"onnx:{tmp_path / 'made' / 'net.onnx'}")
    pixels = np.random.default_rng(1).integers(0, 256, (5, *encoder.spec.input_size, 3), dtype=np.uint8)
    expected = encoder.forward(pixels)
    assert relative(exported.forward(pixels), expected) < 1e-4
    assert relative(exported.forward(pixels[:1]), expected[:1]) < 1e-4


@pytest.mark.parametrize("model", ["ViT-B-32", "RN50"])
def test_openclips_networks_can_be_exported(model: str, tmp_path: Path) -> None:
    pytest.importorskip("lookalike.encoders.timm")  # which mends torchvision for open_clip
    transformer = pytest.importorskip("open_clip.transformer")
    resnet = pytest.importorskip("open_clip.modified_resnet")

    def build() -> nn.Module:
        if model == "RN50":
            return resnet.ModifiedResNet((1, 1, 1, 1), 16, heads=4, image_size=64, width=8)
        return transformer.VisionTransformer(64, 16, 32, 3, 2, 4.0, output_dim=16)

    torch.manual_seed(0)
    torch.save(build().state_dict(), tmp_path / "net.pth")
    layers = "layer4,attnpool" if model == "RN50" else "last:2"
    name = parse_name(f"toy:net[{layers}]@{tmp_path / 'net.pth'}")
    encoder = load_network(name, toy(build, input_size=(64, 64))(name), "cpu")
    assert export.export_onnx(encoder, tmp_path / "net.onnx").relative_error < 1e-4


def test_bits_networks_are_written_once(make: Make, tmp_path: Path) -> None:
    pytest.importorskip("lookalike.encoders.timm")
    from timm.layers import StdConv2d
    from timm.models.resnetv2 import ResNetV2

    def build() -> nn.Module:
        widths = {"channels": (128, 128, 128, 128), "stem_chs": 32, "stem_type": "fixed"}
        return ResNetV2([1, 1, 1, 1], num_classes=0, conv_layer=StdConv2d, **widths)

    encoder = make("toy:net[stages.0,stages.3]", toy(build, input_size=(64, 64)))
    parity = export.export_onnx(encoder, tmp_path / "net.onnx")
    assert parity.relative_error < 1e-5
    assert parity.bytes < 1.3 * (tmp_path / "net.pth").stat().st_size


def test_the_card_holds_what_the_encoder_knows(make: Make, tmp_path: Path) -> None:
    card = {"temperature": 0.3, "copy_distance": 0.4, "licence": "MIT", "source": "us", "resize": "crop"}
    (tmp_path / "net.json").write_text(json.dumps(card))
    encoder = make("toy:net[size=48]", toy(small, mean=(0.1, 0.2, 0.3)))
    export.export_onnx(encoder, tmp_path / "made" / "small.onnx")
    spec = OnnxEncoder(tmp_path / "made" / "small.onnx").spec
    assert (spec.temperature, spec.copy_distance, spec.licence, spec.resize) == (0.3, 0.4, "MIT", "crop")
    assert spec.source == f"{encoder.spec.name}, from us"
    assert (spec.input_size, spec.dim) == ((48, 48), 4)
    assert sorted(file.name for file in (tmp_path / "made").iterdir()) == ["small.json", "small.onnx"]


def test_the_encoder_goes_on_as_it_was(make: Make, tmp_path: Path) -> None:
    encoder = make("toy:net[1,precision=half]", toy(small))
    pixels = export.parity_pictures(2, 32, 32)
    before = encoder.forward(pixels)
    export.export_onnx(encoder, tmp_path / "net.onnx")
    np.testing.assert_array_equal(encoder.forward(pixels), before)
    assert next(encoder.module.parameters()).dtype == torch.float32


class Turned(nn.Sequential):
    """Gives other features when it is exported."""

    def forward(self, pixels: Any) -> Any:
        return super().forward(pixels) * (1.001 if torch.onnx.is_in_onnx_export() else 1)


class Special(nn.Sequential):
    """Holds what ONNX cannot say."""

    def forward(self, pixels: Any) -> Any:
        return super().forward(pixels) + torch.linalg.eigvals(pixels[:, :, :3, :3]).real.sum()


@pytest.mark.parametrize(
    ("network", "message"), [(Turned, "as ONNX it gives other features"), (Special, "cannot be written as ONNX")]
)
def test_what_cannot_be_exported_is_one_line_and_leaves_what_was_there(
    network: type[nn.Sequential], message: str, make: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "made" / "net.onnx"
    target.parent.mkdir()
    target.write_bytes(b"earlier")
    encoder = make("toy:net", toy(lambda: network(*small())))
    with pytest.raises(EncoderError, match=message) as caught:
        export.export_onnx(encoder, target)
    assert "\n" not in str(caught.value)
    assert [(file.name, file.read_bytes()) for file in target.parent.iterdir()] == [("net.onnx", b"earlier")]
    assert capfd.readouterr() == ("", "")


def test_a_file_of_another_kind_or_too_large(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = make("toy:net", toy(small))
    with pytest.raises(EncoderError, match=r"ends in \.onnx"):
        export.export_onnx(encoder, tmp_path / "net.pt")
    monkeypatch.setattr(export, "LARGEST_FILE", 100)
    with pytest.raises(EncoderError, match="one ONNX file holds 2 GB"):
        export.export_onnx(encoder, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_a_rim_of_zeros_before_a_maximum_stays(make: Make, tmp_path: Path) -> None:
    """ONNX Runtime merges the two as if the rim were minus infinity: below zero the features would differ."""

    def build() -> nn.Module:
        rim = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConstantPad2d(1, 0.0), nn.MaxPool2d(3, 2), nn.Flatten())
        nn.init.constant_(rim[0].bias, -9)
        return rim

    assert export.export_onnx(make("toy:net", toy(build)), tmp_path / "net.onnx").relative_error < 1e-5
