"""A torch network as an encoder: pixels, cards, fingerprints, devices, and files that do not fit."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from lookalike.core.errors import EncoderError, UnknownNameError  # noqa: E402
from lookalike.encoders.load import encoder_names, load_pixels, weight_source  # noqa: E402
from lookalike.encoders.name import parse_name  # noqa: E402
from lookalike.encoders.network import Architecture, NetworkEncoder, load_network  # noqa: E402
from lookalike.encoders.sources import WeightSource  # noqa: E402

Make = Callable[..., NetworkEncoder]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(width: int = 6) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, width, 3, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


ARCHITECTURE = Architecture(
    "toy", "net", build, WeightSource("net.pth", how="save them"), (32, 32), (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)
)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Save the network's weights, and load it by a name with some options."""

    def load(options: str = "", card: object = None, file: str = "net.pth", scale: float = 1, **kw: Any) -> Any:
        state = {key: value * scale for key, value in build().state_dict().items()}
        torch.save(state, tmp_path / file)
        if card is not None:
            (tmp_path / file).with_suffix(".json").write_text(json.dumps(card))
        device = kw.pop("device", "cpu")
        return load_network(parse_name(f"toy:net{options}@{tmp_path / file}"), replace(ARCHITECTURE, **kw), device)

    return load


def pictures(count: int, size: int = 32) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_features_are_those_of_normalised_pixels(make: Make) -> None:
    encoder, pixels = make(), pictures(3)
    normalised = (pixels / 255 - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.3, 0.25])
    expected = build()(torch.tensor(normalised.transpose(0, 3, 1, 2), dtype=torch.float32)).detach().numpy()
    found = encoder.forward(pixels)
    assert (found.dtype, found.shape) == (np.float32, (3, encoder.spec.dim))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    one_by_one = np.concatenate([encoder.forward(pixels[[i]]) for i in range(3)])
    np.testing.assert_allclose(found, one_by_one, rtol=1e-5, atol=1e-6)


def test_pixels_may_be_read_only_or_turned(make: Make) -> None:
    encoder, pixels = make(), pictures(2)
    turned = pixels[:, :, ::-1]
    pixels.flags.writeable = False
    expected = encoder.forward(np.ascontiguousarray(turned))
    np.testing.assert_allclose(encoder.forward(turned), expected, rtol=1e-6)
    assert encoder.forward(pixels).shape == (2, 6)


def test_the_module_is_frozen_in_eval_mode_and_tapped(make: Make) -> None:
    encoder = make("[0,2,pool=gem]")
    assert encoder.spec.dim == 10
    assert not encoder.module.training
    assert not any(p.requires_grad for p in encoder.module.parameters())
    np.testing.assert_allclose(np.linalg.norm(encoder.forward(pictures(2)), axis=1), np.sqrt(2), rtol=1e-5)
    assert (encoder.mean, encoder.std, encoder.spec.lanes) == ((0.5, 0.4, 0.3), (0.2, 0.3, 0.25), 1)


def test_the_name_gives_the_same_encoder_again(make: Make, tmp_path: Path) -> None:
    encoder = make("[pool=gem,norm=corrected,last:2]")
    assert encoder.spec.name == f"toy:net[last:2,pool=gem]@{tmp_path.resolve() / 'net.pth'}"
    again = load_network(parse_name(encoder.spec.name), ARCHITECTURE)
    assert again.spec == encoder.spec
    np.testing.assert_array_equal(again.forward(pictures(2)), encoder.forward(pictures(2)))


def test_default_layers_are_taken_as_they_are(make: Make) -> None:
    raw = make(default_layers=("2",))
    assert not np.allclose(np.linalg.norm(raw.forward(pictures(2)), axis=1), 1, atol=0.1)
    assert not np.allclose(raw.forward(pictures(2)), make("[pool=gem]", default_layers=("2",)).forward(pictures(2)))


def test_a_card_beside_the_weights_decides(make: Make) -> None:
    card = {"mean": [0, 0, 0], "input_size": 48, "resize": "crop", "temperature": 0.3, "licence": "MIT", "source": "us"}
    spec = make(card=card).spec
    assert (spec.input_size, spec.resize, spec.temperature, spec.licence, spec.source) == (
        (48, 48), "crop", 0.3, "MIT", "us",
    )  # fmt: skip
    assert make(card=card).mean == (0, 0, 0)
    assert make(card=card).std == (0.2, 0.3, 0.25)
    assert make("[size=64,resize=squash]", card=card).spec.input_size == (64, 64)
    with pytest.raises(EncoderError, match="std must be three positive numbers"):
        make(card={"std": [0, 1, 1]})


def test_the_fingerprint_follows_whatever_decides_the_features(make: Make, tmp_path: Path) -> None:
    prints = [
        make().spec.fingerprint,
        make(scale=1.01).spec.fingerprint,
        make("[2]").spec.fingerprint,
        make("[2,pool=gem]").spec.fingerprint,
        make("[size=48]").spec.fingerprint,
        make("[resize=crop]").spec.fingerprint,
        make("[precision=half]").spec.fingerprint,
        make(std=(0.2, 0.2, 0.2)).spec.fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    elsewhere = shutil.copy(tmp_path / "net.pth", tmp_path / "elsewhere.pth")
    assert load_network(parse_name(f"toy:net@{elsewhere}"), ARCHITECTURE).spec.fingerprint == prints[0]
    assert make(licence="other", notes="other").spec.fingerprint == prints[0]


def test_half_precision_is_close_and_full_can_be_asked_for(make: Make) -> None:
    full, half = (make(f"[precision={kind}]").forward(pictures(4)) for kind in ("full", "half"))
    assert 0 < np.linalg.norm(full - half) / np.linalg.norm(full) < 0.02
    np.testing.assert_array_equal(full, make().forward(pictures(4)))


def test_published_weights_come_from_the_folder_and_are_checked(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path))
    assert load_network(parse_name("toy:net"), ARCHITECTURE).spec.name == "toy:net"
    wrong = replace(ARCHITECTURE, source=WeightSource("net.pth", "http://127.0.0.1:9/net.pth", "00ff00ff"))
    with pytest.raises(EncoderError, match="the published one 00ff00ff: delete the file"):
        load_network(parse_name("toy:net"), wrong)
    assert load_network(parse_name(f"toy:net@{tmp_path / 'net.pth'}"), wrong).spec.dim == 6
    (tmp_path / "net.pth").unlink()
    with pytest.raises(EncoderError, match=r"weights net.pth are not on this machine: save them and put it into"):
        load_network(parse_name("toy:net"), ARCHITECTURE)


@pytest.mark.parametrize("file", ["nowhere.pth", "."])
def test_weights_that_are_no_file_are_one_clear_line(tmp_path: Path, file: str) -> None:
    with pytest.raises(EncoderError, match="cannot read the weights") as caught:
        load_network(parse_name("toy:net").using(tmp_path / file), ARCHITECTURE)
    assert "\n" not in str(caught.value)


def test_modules_can_be_dropped(make: Make) -> None:
    dropped = make("[drop=3,drop=2]")
    assert dropped.spec.dim == 4
    with pytest.raises(EncoderError, match=r"drop=nine: the network has no such module"):
        make("[drop=nine]")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("[pool=gem]", "pool: only for taps; name layers too"),
        ("[tokens=mean]", "tokens: only for taps"),
        ("[norm=published]", "norm: only for taps"),
        ("[layer9]", "has no layer 'layer9'"),
        ("[last:7]", "has 2 stages"),
    ],
)
def test_options_that_do_not_fit_are_one_clear_line(make: Make, options: str, message: str) -> None:
    with pytest.raises(EncoderError, match=message) as caught:
        make(options)
    assert "\n" not in str(caught.value)


def test_networks_that_cannot_be_built_or_run(make: Make) -> None:
    with pytest.raises(EncoderError, match=r"cannot be built as its options say: .*unexpected keyword"):
        make(build=partial(build, depth=3))
    with pytest.raises(EncoderError, match=r"[12] have another shape"):
        make(build=partial(build, width=7))
    with pytest.raises(EncoderError, match="not finite"):
        make(scale=float("nan"))
    with pytest.raises(EncoderError, match="does not take pictures of 32 x 32 pixels"):
        make(build=lambda: nn.Sequential(*build(), nn.Linear(99, 1)).requires_grad_(False), convert=_any_linear)


def _any_linear(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    return {**state, "6.weight": module[6].weight, "6.bias": module[6].bias}


@pytest.mark.parametrize("device", ["tpu", "mps", "cuda"])
def test_a_device_that_is_not_there_is_named(make: Make, device: str) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has it")
    with pytest.raises(EncoderError, match=device):
        make(device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_features(make: Make) -> None:
    np.testing.assert_allclose(
        make(device="cuda").forward(pictures(4)), make().forward(pictures(4)), rtol=1e-2, atol=1e-3
    )


def test_an_onnx_file_serves_any_family(network: Path) -> None:
    encoder = load_pixels("timm:resnet18", weights=network)
    assert encoder.spec.name == f"onnx:{network.resolve()}"
    assert load_pixels(f"torchvision:resnet18@{network}").spec == encoder.spec
    with pytest.raises(EncoderError, match="has its taps and options in it: write onnx:"):
        load_pixels("timm:resnet18[layer4]", weights=network)
    with pytest.raises(EncoderError, match="two files"):
        load_pixels(f"timm:resnet18@{network}", weights=network)


def test_families_and_their_names() -> None:
    assert {"classic", "onnx:PATH", "timm:MODEL", "torchvision:MODEL"} <= set(encoder_names())
    assert encoder_names("torchvision:vgg1[16]") == ["torchvision:vgg11", "torchvision:vgg16"]
    assert weight_source("classic") is None
    assert weight_source("torchvision:vgg16").file == "vgg16-397923af.pth"
    with pytest.raises(UnknownNameError, match="there is no encoder 'tim:resnet18'"):
        load_pixels("tim:resnet18")


def test_without_torch_names_are_listed_and_onnx_runs(network: Path) -> None:
    program = f"""
import sys
import numpy as np
from lookalike.encoders.load import encoder_names, load_pixels
from lookalike.core.errors import EncoderError
assert "torch" not in sys.modules
sys.modules["torch"] = sys.modules["timm"] = None
assert "classic" in encoder_names() and "timm:MODEL" not in encoder_names(), encoder_names()
try:
    load_pixels("timm:resnet18")
except EncoderError as error:
    assert 'pip install "lookalike[train]"' in str(error), error
else:
    raise AssertionError("timm ran without torch")
pixels = np.zeros((1, 32, 32, 3), np.uint8)
assert load_pixels("timm:resnet18", weights={str(network)!r}).forward(pixels).shape == (1, 8)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
