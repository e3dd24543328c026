"""``cvnet:MODEL`` with random numbers under the published names, and ``facenet:``, which comes by ONNX."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
functional = torch.nn.functional

from lookalike.core.errors import EncoderError, UnknownNameError  # noqa: E402
from lookalike.encoders.cvnet import architecture  # noqa: E402
from lookalike.encoders.export import export_onnx  # noqa: E402
from lookalike.encoders.load import encoder_names, load_pixels, weight_source  # noqa: E402
from lookalike.encoders.name import parse_name  # noqa: E402
from lookalike.encoders.network import NetworkEncoder  # noqa: E402

WIDTH, DIM = 4, 10
RECIPE = f"size=64,dim={DIM},width={WIDTH}"
DEPTHS = {"R50": (3, 4, 6, 3), "R101": (3, 4, 23, 3)}
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
MakeNetwork = Callable[..., Path]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def norm(state: dict[str, Any], name: str, channels: int) -> None:
    for key, low, high in (("weight", 0.5, 1.5), ("bias", -0.2, 0.2), ("running_mean", -1, 1), ("running_var", 0.5, 2)):
        state[f"{name}.{key}"] = torch.empty(channels).uniform_(low, high)
    state[f"{name}.num_batches_tracked"] = torch.tensor(7)


def kernel(state: dict[str, Any], name: str, outer: int, inner: int, side: int) -> None:
    state[f"{name}.weight"] = torch.randn(outer, inner, side, side) / (inner * side * side) ** 0.5


def published(model: str) -> dict[str, Any]:
    """Write out the tensors of the published encoder, by the names of its repository."""
    state: dict[str, Any] = {}
    kernel(state, "stem.conv", WIDTH, 3, 7)
    norm(state, "stem.bn", WIDTH)
    channels = WIDTH
    for stage, depth in enumerate(DEPTHS[model], 1):
        inner = WIDTH * 2 ** (stage - 1)
        for block in range(1, depth + 1):
            name = f"s{stage}.b{block}"
            if block == 1:
                kernel(state, f"{name}.proj", 4 * inner, channels, 1)
                norm(state, f"{name}.bn", 4 * inner)
            for part, outer, given, side in (
                ("a", inner, channels, 1),
                ("b", inner, inner, 3),
                ("c", 4 * inner, inner, 1),
            ):
                kernel(state, f"{name}.f.{part}", outer, given, side)
                norm(state, f"{name}.f.{part}_bn", outer)
            channels = 4 * inner
    state["head.pool.p"] = torch.tensor([2.6])
    state["head.fc.weight"], state["head.fc.bias"] = torch.randn(DIM, channels), torch.randn(DIM)
    return state


def described(state: dict[str, Any], pixels: Any) -> tuple[Any, Any]:
    """Compute the descriptor, and the map of the third stage, by plain functions."""

    def scaled(maps: Any, name: str) -> Any:
        keys = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(maps, *(state[f"{name}.{key}"] for key in keys))

    blue_first = ((pixels / 255 - MEAN) / STD)[..., ::-1].transpose(0, 3, 1, 2)
    maps = functional.conv2d(
        torch.tensor(blue_first.copy(), dtype=torch.float32), state["stem.conv.weight"], None, 2, 3
    )
    maps = functional.max_pool2d(functional.relu(scaled(maps, "stem.bn")), 3, 2, 1)
    third = None
    for name in dict.fromkeys(key.rpartition(".f.")[0] for key in state if ".f." in key):
        stride = 2 if name.endswith(".b1") and not name.startswith("s1.") else 1
        kept = maps
        if f"{name}.proj.weight" in state:
            kept = scaled(functional.conv2d(maps, state[f"{name}.proj.weight"], None, stride), f"{name}.bn")
        for part, step, padding in (("a", 1, 0), ("b", stride, 1), ("c", 1, 0)):
            maps = functional.conv2d(maps, state[f"{name}.f.{part}.weight"], None, step, padding)
            maps = scaled(maps, f"{name}.f.{part}_bn")
            maps = functional.relu(maps) if part != "c" else maps
        maps = functional.relu(kept + maps)
        third = maps if name.startswith("s3.") else third
    power = state["head.pool.p"]
    pooled = maps.clamp(min=1e-6).pow(power).mean((2, 3)).pow(1 / power)
    return functional.normalize(pooled @ state["head.fc.weight"].T + state["head.fc.bias"], dim=1), third


@pytest.mark.parametrize(
    ("model", "prefix"), [("R50", "encoder_q."), ("R50", "globalmodel."), ("R101", "encoder_q."), ("R50", "")]
)
def test_the_published_names_make_the_published_descriptor(model: str, prefix: str, tmp_path: Path) -> None:
    state, path = published(model), tmp_path / f"CVPR2022_CVNet_{model}.pyth"
    kept = {f"{prefix}{key}": value for key, value in state.items()}
    if prefix:  # the verification network beside it
        kept |= {"conv2ds.0.weight": torch.zeros(2, 2, 3, 3), "cv_learner.block1.0.conv1.weight": torch.zeros(3)}
    torch.save({"epoch": 25, "model_state": kept} if prefix else kept, path)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    expected, third = described(state, pixels)
    encoder = load_pixels(f"cvnet:{model}[{RECIPE}]", weights=path, device="cpu")
    found = encoder.forward(pixels)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    tapped = load_pixels(f"cvnet:{model}[s3,{RECIPE}]", weights=path).forward(pixels)
    np.testing.assert_allclose(tapped, functional.normalize(third.mean((2, 3)), dim=1), rtol=1e-3, atol=1e-5)


def test_a_whole_network_has_the_published_size() -> None:
    with torch.device("meta"):
        network = architecture(parse_name("cvnet:R50")).build()
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert wanted["head.fc.weight"] == (2048, 2048)
    assert wanted["s4.b3.f.c.weight"] == (2048, 512, 1, 1)
    assert set(wanted) == set(published("R50"))


def test_stages_and_export(tmp_path: Path) -> None:
    torch.save(published("R50"), tmp_path / "net.pyth")
    encoder = load_pixels(f"cvnet:R50[last:4,pool=gem,{RECIPE}]", weights=tmp_path / "net.pyth")
    assert isinstance(encoder, NetworkEncoder)
    assert encoder.module.layers == ("s1", "s2", "s3", "s4")
    assert export_onnx(encoder, tmp_path / "net.onnx").relative_error < 1e-4
    whole = load_pixels(f"cvnet:R50[{RECIPE}]", weights=tmp_path / "net.pyth")
    assert isinstance(whole, NetworkEncoder)
    assert export_onnx(whole, tmp_path / "whole.onnx").relative_error < 1e-4


def test_where_the_files_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert encoder_names("cvnet:*") == ["cvnet:R101", "cvnet:R50"]
    source = weight_source("cvnet:R50")
    assert source is not None
    assert (source.file, source.url) == ("CVPR2022_CVNet_R50.pyth", None)
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path))
    with pytest.raises(EncoderError, match=rf"fetch it from https://drive.google.com/\S+ .* put it into {tmp_path}"):
        load_pixels("cvnet:R50")
    with pytest.raises(UnknownNameError, match="there is no cvnet network 'R152'"):
        load_pixels("cvnet:R152")
    torch.save(published("R50"), tmp_path / "CVPR2022_CVNet_R50.pyth")
    assert load_pixels(f"cvnet:R50[{RECIPE}]").spec.name == f"cvnet:R50[{RECIPE}]"


def test_facenet_runs_from_an_exported_file(
    make_network: MakeNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path))
    with pytest.raises(EncoderError, match=r"facenet-pytorch 2.6.0.* needs torch below 2.3.*export its layer block8"):
        load_pixels("facenet:vggface2")
    exported = make_network(tmp_path / "facenet_vggface2_block8.onnx", output="map")
    assert load_pixels("facenet:vggface2").spec.name == f"onnx:{exported}"
    assert load_pixels("facenet:vggface2", weights=exported).spec.name == f"onnx:{exported}"
    assert load_pixels(f"facenet:vggface2@{exported}").spec.dim == 8
    cases = (
        ("facenet:casia", None, UnknownNameError, "there is no facenet network 'casia': known: vggface2"),
        ("facenet:vggface2", "vggface2.pt", EncoderError, "facenet takes an exported .onnx file"),
        ("facenet:vggface2[block8]", None, EncoderError, "an ONNX file has its taps and options in it"),
    )
    for name, file, kind, message in cases:
        with pytest.raises(kind, match=message):
            load_pixels(name, weights=tmp_path / file if file else None)
