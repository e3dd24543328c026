"""``torchvision:MODEL``: headless as described, with random weights and the maintainers' real ones."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lookalike.encoders.torchvision", reason="needs torchvision")
safetensors_torch = pytest.importorskip("safetensors.torch")

from lookalike.core.errors import EncoderError, UnknownNameError  # noqa: E402
from lookalike.encoders.load import encoder_names, load_pixels  # noqa: E402
from lookalike.encoders.name import parse_name  # noqa: E402
from lookalike.encoders.state import load_state  # noqa: E402
from lookalike.encoders.torchvision import architecture, describe, models, names  # noqa: E402

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pictures(count: int, size: int = 64) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def normalised(pixels: Any) -> Any:
    return torch.tensor(((pixels / 255 - MEAN) / STD).transpose(0, 3, 1, 2), dtype=torch.float32)


def save(model: str, path: Path) -> Any:
    torch.manual_seed(0)
    network = getattr(models, model)(weights=None).eval()
    (safetensors_torch.save_file if path.suffix == ".safetensors" else torch.save)(network.state_dict(), path)
    return network


@pytest.mark.parametrize(
    ("model", "suffix", "before"),
    [
        ("resnet18", ".pth", "avgpool"),
        ("squeezenet1_1", ".safetensors", "features"),
        ("mobilenet_v3_small", ".pth", "classifier.1"),
        ("shufflenet_v2_x0_5", ".safetensors", "conv5"),
    ],
)
def test_the_feature_is_what_the_classifier_is_given(model: str, suffix: str, before: str, tmp_path: Path) -> None:
    whole, path, pixels = save(model, tmp_path / f"net{suffix}"), tmp_path / f"net{suffix}", pictures(2)
    seen: list[Any] = []
    whole.get_submodule(before).register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.inference_mode():
        whole(normalised(pixels))
    expected = seen[0].mean((2, 3)) if seen[0].ndim == 4 else seen[0]
    encoder = load_pixels(f"torchvision:{model}[size=64]", weights=path, device="cpu")
    np.testing.assert_allclose(encoder.forward(pixels), expected, rtol=1e-4, atol=1e-5)
    assert encoder.spec.name == f"torchvision:{model}[size=64]@{path.resolve()}"
    assert encoder.spec.lanes == 1


def test_layers_of_a_classifier_can_be_tapped(tmp_path: Path) -> None:
    whole = save("squeezenet1_1", tmp_path / "net.pth")
    with torch.inference_mode():
        expected = whole.classifier[1](whole.features(normalised(pictures(2)))).mean((2, 3))
    name = "torchvision:squeezenet1_1[classifier.1,size=64]"
    found = load_pixels(name, weights=tmp_path / "net.pth").forward(pictures(2))
    np.testing.assert_allclose(found, expected / expected.norm(dim=1, keepdim=True), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("model", "dim"), [("vgg11_bn", 512), ("alexnet", 256), ("squeezenet1_0", 512)])
def test_networks_with_large_heads_are_built_without_them(model: str, dim: int) -> None:
    network = architecture(parse_name(f"torchvision:{model}")).build()
    assert not any(isinstance(module, torch.nn.Linear) for module in network.modules())
    with torch.inference_mode():
        assert network.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, dim)


def test_inception_runs_as_published() -> None:
    network = architecture(parse_name("torchvision:inception_v3")).build()
    assert network.transform_input
    assert network.AuxLogits is None
    assert isinstance(network.fc, torch.nn.Identity)


def test_files_older_than_the_networks_fit() -> None:
    densenet = architecture(parse_name("torchvision:densenet121"))
    network = densenet.build()
    state = {key: torch.full_like(value, 2) for key, value in network.state_dict().items()}
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value for key, value in state.items()}
    assert set(old) != set(state)
    load_state(network, old, Path("old.pth"), convert=densenet.convert)
    assert all((value == 2).all() for key, value in network.state_dict().items())
    convert = architecture(parse_name("torchvision:vit_b_16")).convert
    assert convert is not None
    old = {f"encoder.layers.encoder_layer_3.mlp.linear_{n}.bias": torch.zeros(1) for n in (1, 2)}
    assert list(convert(old, torch.nn.Identity())) == [
        "encoder.layers.encoder_layer_3.mlp.0.bias",
        "encoder.layers.encoder_layer_3.mlp.3.bias",
    ]


def test_names_weights_and_checksums() -> None:
    listed = set(names())
    wanted = "vgg11 vgg13_bn vgg16 resnet152 alexnet efficientnet_b7 inception_v3 vit_b_16 swin_t convnext_tiny"
    assert {f"torchvision:{model}" for model in wanted.split()} <= listed
    assert not any("rcnn" in name or "deeplab" in name or "raft" in name for name in listed)
    assert "torchvision:vit_b_16.IMAGENET1K_SWAG_LINEAR_V1" in listed
    sources = [describe(name) for name in listed]
    assert all(source.url and source.sha256 and source.file.count(source.sha256) for source in sources)
    first, second = (describe(f"torchvision:resnet50{tag}").file for tag in ("", ".IMAGENET1K_V1"))
    assert (first, second) == ("resnet50-11ad3fa6.pth", "resnet50-0676ba61.pth")
    assert encoder_names("torchvision:swin_v2_t") == ["torchvision:swin_v2_t"]
    assert architecture(parse_name("torchvision:efficientnet_v2_l")).mean == (0.5, 0.5, 0.5)
    assert architecture(parse_name("torchvision:swin_v2_t")).input_size == (256, 256)


def test_what_does_not_fit_is_one_clear_line(tmp_path: Path) -> None:
    save("squeezenet1_1", tmp_path / "net.pth")
    cases = (
        ("torchvision:resnet19", UnknownNameError, "did you mean resnet18"),
        ("torchvision:resnet50.V3", EncoderError, "its published weights are IMAGENET1K_V1, IMAGENET1K_V2"),
        ("torchvision:resnet18", EncoderError, "100 of its 120 tensors are missing"),
        ("torchvision:squeezenet1_1[depth=3]", EncoderError, "cannot be built as its options say"),
        ("torchvision:squeezenet1_1[size=8]", EncoderError, "does not take pictures of 8 x 8 pixels"),
    )
    for name, kind, message in cases:
        with pytest.raises(kind, match=message) as caught:
            load_pixels(name, weights=tmp_path / "net.pth")
        assert "\n" not in str(caught.value)


def test_the_real_network_loads(shared: Path) -> None:
    path = shared / "weights" / "squeezenet1_1_imagenet.safetensors"
    encoder = load_pixels(f"torchvision:squeezenet1_1@{path}", device="cpu")
    assert (encoder.spec.dim, encoder.spec.input_size, encoder.spec.licence) == (512, (224, 224), "Apache-2.0")
    network = models.squeezenet1_1()
    network.load_state_dict({key: value.float() for key, value in safetensors_torch.load_file(path).items()})
    pixels = pictures(2, 224)
    with torch.inference_mode():
        expected = network.features.eval()(normalised(pixels)).mean((2, 3)).numpy()
    np.testing.assert_allclose(encoder.forward(pixels), expected, rtol=1e-3, atol=1e-4)
