"""``places365:MODEL``: files as the site has them, with random numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lookalike.encoders.torchvision", reason="needs torchvision")

from lookalike.core.errors import EncoderError, UnknownNameError  # noqa: E402
from lookalike.encoders.load import encoder_names, load_pixels, weight_source  # noqa: E402
from lookalike.encoders.name import parse_name  # noqa: E402
from lookalike.encoders.places365 import architecture  # noqa: E402
from lookalike.encoders.state import load_state  # noqa: E402
from lookalike.encoders.torch_import import import_torchvision  # noqa: E402

models = import_torchvision().models
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def pictures(count: int, size: int = 64) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def normalised(pixels: Any) -> Any:
    return torch.tensor(((pixels / 255 - MEAN) / STD).transpose(0, 3, 1, 2), dtype=torch.float32)


def checkpoint(state: dict[str, Any]) -> dict[str, Any]:
    """Return what the site's training program kept."""
    return {"epoch": 90, "arch": "resnet18", "best_prec1": 54.7, "state_dict": state}


def test_resnet18_gives_what_its_365_classes_are_told_from(tmp_path: Path) -> None:
    whole, path = models.resnet18(num_classes=365).eval(), tmp_path / "resnet18_places365.pth.tar"
    torch.save(checkpoint({f"module.{key}": value for key, value in whole.state_dict().items()}), path)
    encoder = load_pixels("places365:resnet18[size=64]", weights=path, device="cpu")
    whole.fc = torch.nn.Identity()
    with torch.inference_mode():
        np.testing.assert_allclose(encoder.forward(pictures(2)), whole(normalised(pictures(2))), rtol=1e-3, atol=1e-5)
    assert encoder.spec.name == f"places365:resnet18[size=64]@{path.resolve()}"
    assert (encoder.spec.dim, encoder.spec.licence) == (512, "CC-BY")
    tapped = load_pixels("places365:resnet18[last:4,pool=gem,size=64]", weights=path)
    assert tapped.spec.dim == 64 + 128 + 256 + 512


def test_alexnet_was_parallel_in_part(tmp_path: Path) -> None:
    whole, path = models.alexnet(num_classes=365).eval(), tmp_path / "alexnet_places365.pth.tar"
    state = {key.replace("features.", "features.module."): value for key, value in whole.state_dict().items()}
    small = {key: value for key, value in state.items() if not key.startswith("classifier.1")}
    torch.save(checkpoint(small), path)  # without its largest layer, which is not loaded
    encoder = load_pixels("places365:alexnet[size=64]", weights=path)
    with torch.inference_mode():
        expected = whole.features(normalised(pictures(2))).mean((2, 3))
    np.testing.assert_allclose(encoder.forward(pictures(2)), expected, rtol=1e-3, atol=1e-5)


def test_densenet_has_the_names_of_its_time() -> None:
    found = architecture(parse_name("places365:densenet161"))
    with torch.device("meta"):
        network = found.build()
    wanted = network.state_dict()
    old = {f"module.{key}": torch.empty_like(value) for key, value in wanted.items()}
    old = {key.replace("norm1.", "norm.1.").replace("conv1.", "conv.1."): value for key, value in old.items()}
    old = {key.replace("norm2.", "norm.2.").replace("conv2.", "conv.2."): value for key, value in old.items()}
    assert not set(old) & {f"module.{key}" for key in wanted if "denselayer" in key}
    load_state(network, old, Path("densenet161_places365.pth.tar"), convert=found.convert)


def test_names_and_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert encoder_names("places365:*") == [
        "places365:alexnet",
        "places365:densenet161",
        "places365:resnet18",
        "places365:resnet50",
    ]
    source = weight_source("places365:resnet50")
    assert source is not None
    assert source.url == "http://places2.csail.mit.edu/models_places365/resnet50_places365.pth.tar"
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path))
    monkeypatch.setenv("LOOKALIKE_OFFLINE", "1")
    with pytest.raises(UnknownNameError, match="there is no places365 network 'vgg16'"):
        load_pixels("places365:vgg16")
    with pytest.raises(EncoderError, match=r"resnet18_places365.pth.tar are not on this machine: working offline"):
        load_pixels("places365:resnet18")
