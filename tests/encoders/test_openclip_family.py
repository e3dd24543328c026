"""``openclip:MODEL/TAG``: small towers with random numbers, in files that hold the text tower too."""

import importlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lookalike.encoders.openclip", reason="needs open_clip")

from lookalike.core.errors import EncoderError, UnknownNameError  # noqa: E402
from lookalike.encoders.export import export_onnx  # noqa: E402
from lookalike.encoders.load import encoder_names, load_pixels  # noqa: E402
from lookalike.encoders.name import parse_name  # noqa: E402
from lookalike.encoders.openclip import architecture, describe, names, open_clip  # noqa: E402
from lookalike.encoders.tapped import Tapped  # noqa: E402

RESNET = "layers=[1,1,1,1],width=16"
TRANSFORMER = "layers=2,precision=full,width=64"
TEXT = {"context_length": 4, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def whole(embed: int, quick: bool, size: int, **vision: Any) -> Any:
    """Return both towers, with OpenCLIP's own code."""
    network = open_clip.model.CLIP(embed, {**vision, "image_size": size}, TEXT, quick_gelu=quick)
    with torch.no_grad():
        for key, value in network.visual.state_dict().items():
            if "bn3.weight" in key or "running_var" in key:
                value.uniform_(0.5, 1.5)
    return network.eval()


def pictures(count: int, size: int) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def normalised(pixels: Any) -> Any:
    values = (pixels / 255 - open_clip.OPENAI_DATASET_MEAN) / open_clip.OPENAI_DATASET_STD
    return torch.tensor(values.transpose(0, 3, 1, 2), dtype=torch.float32)


def assert_same(found: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_the_picture_tower_of_a_resnet(suffix: str, tmp_path: Path) -> None:
    network, path = whole(1024, True, 64, layers=[1, 1, 1, 1], width=16), tmp_path / f"clip{suffix}"
    save = importlib.import_module("safetensors.torch").save_file if suffix == ".safetensors" else torch.save
    save(network.state_dict(), path)
    pixels = pictures(2, 64)
    plain = load_pixels(f"openclip:RN50/openai[{RESNET},size=64]", weights=path, device="cpu")
    with torch.inference_mode():
        assert_same(plain.forward(pixels), network.encode_image(normalised(pixels)))
        maps, taps = network.visual.stem(normalised(pixels)), []
        for number in range(1, 5):
            maps = getattr(network.visual, f"layer{number}")(maps)
            taps.append(torch.nn.functional.normalize(maps.mean((2, 3)), dim=1))
        last = network.visual.attnpool(maps)
    layers = "layer1,layer2,layer3,layer4,attnpool"
    published = load_pixels(f"openclip:RN50/openai[{layers},{RESNET},norm=published,size=64]", weights=path)
    assert_same(published.forward(pixels), torch.cat([*taps, last], 1))
    corrected = load_pixels(f"openclip:RN50/openai[{layers},{RESNET},size=64]", weights=path)
    assert_same(corrected.forward(pixels), torch.cat([*taps, torch.nn.functional.normalize(last, dim=1)], 1))
    assert published.spec.dim == 16 * (4 + 8 + 16 + 32) + 1024
    assert (plain.spec.resize, plain.spec.licence) == ("crop", "MIT")
    assert load_pixels(published.spec.name).spec.fingerprint == published.spec.fingerprint
    assert export_onnx(published, tmp_path / "exported.onnx").relative_error < 1e-4


def test_the_picture_tower_of_a_transformer(tmp_path: Path) -> None:
    network = whole(512, True, 64, layers=2, width=64, patch_size=32)
    torch.save({"epoch": 1, "state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "c")
    pixels = pictures(2, 64)
    plain = load_pixels(f"openclip:ViT-B-32/openai[{TRANSFORMER},size=64]", weights=tmp_path / "c")
    tap = load_pixels(f"openclip:ViT-B-32/openai[ln_post,{TRANSFORMER},norm=published,size=64]", weights=tmp_path / "c")
    with torch.inference_mode():
        assert_same(plain.forward(pixels), network.encode_image(normalised(pixels)))
        assert_same(tap.forward(pixels) @ network.visual.proj.numpy(), network.encode_image(normalised(pixels)))
    assert export_onnx(tap, tmp_path / "exported.onnx").relative_error < 1e-4
    # The same numbers under another activation are another network.
    other = load_pixels(f"openclip:ViT-B-32/laion2b_s34b_b79k[{TRANSFORMER},size=64]", weights=tmp_path / "c")
    assert np.linalg.norm(other.forward(pixels) - plain.forward(pixels)) > 1e-3 * np.linalg.norm(plain.forward(pixels))


def test_another_size_of_picture_resamples_the_positions_as_openclip_does(tmp_path: Path) -> None:
    small = whole(512, False, 64, layers=2, width=64, patch_size=32)
    large = whole(512, False, 96, layers=2, width=64, patch_size=32)
    torch.save(small.state_dict(), tmp_path / "clip.pt")
    open_clip.load_checkpoint(large, str(tmp_path / "clip.pt"))
    found = load_pixels(f"openclip:ViT-B-32[{TRANSFORMER},size=96]", weights=tmp_path / "clip.pt")
    with torch.inference_mode():
        assert_same(found.forward(pictures(2, 96)), large.encode_image(normalised(pictures(2, 96))))


@pytest.mark.parametrize(
    ("name", "tap", "dim", "mean"),
    [
        ("openclip:EVA02-B-16/merged2b_s8b_b131k", "trunk.blocks.1", 768, open_clip.OPENAI_DATASET_MEAN),
        ("openclip:ViT-B-16-SigLIP/webli", "trunk.blocks.1", 768, (0.5, 0.5, 0.5)),
        ("openclip:convnext_base/laion400m_s13b_b51k", "trunk.stages.1", 256, open_clip.OPENAI_DATASET_MEAN),
    ],
)
def test_towers_of_timm_are_built_without_weights(name: str, tap: str, dim: int, mean: Any) -> None:
    found = architecture(parse_name(name))
    assert found.mean == mean
    with torch.device("meta"), torch.inference_mode():
        network = found.build().eval()
        assert Tapped(network, (tap,), tokens="mean")(torch.empty(1, 3, *found.input_size)).shape == (1, dim)
    assert getattr(network, "num_prefix_tokens", 0) == (1 if "EVA" in name else 0)


def test_names_and_files() -> None:
    listed = names()
    wanted = {f"openclip:{model}/openai" for model in ("RN50", "RN101", "RN50x4", "ViT-B-32")}
    assert wanted <= set(listed)
    assert encoder_names() == [name for name in encoder_names() if not name.startswith("openclip:RN")]
    assert "openclip:MODEL/TAG" in encoder_names()
    assert set(encoder_names("openclip:RN50x4*")) == {"openclip:RN50x4/openai", "openclip:RN50x4-quickgelu/openai"}
    addresses: dict[str, str] = {}
    for name in listed:
        source = describe(name)
        assert source.url is not None
        assert source.url.startswith("https://huggingface.co/")
        assert source.file.endswith((".safetensors", ".bin"))
        assert addresses.setdefault(source.file, source.url) == source.url
    assert architecture(parse_name("openclip:RN50x4/openai")).input_size == (288, 288)
    assert architecture(parse_name("openclip:ViT-H-14-378-quickgelu/dfn5b")).resize == "squash"


def test_what_does_not_fit_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(whole(512, True, 64, layers=2, width=64, patch_size=32).state_dict(), tmp_path / "clip.pt")
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path))
    monkeypatch.setenv("LOOKALIKE_OFFLINE", "1")
    cases = (
        ("openclip:RN50x5/openai", None, UnknownNameError, "did you mean RN50x4"),
        ("openclip:hf-hub:laion/x", None, UnknownNameError, "there is no network of OpenCLIP 'hf-hub:laion'"),
        ("openclip:RN50x4/laion", None, EncoderError, "openclip:RN50x4 has no weights 'laion'; it has openai"),
        ("openclip:RN50x4", None, EncoderError, r"names published weights \(openai\); give weights=PATH"),
        ("openclip:RN50x4/openai", None, EncoderError, "openclip--resnet50x4_clip.openai.safetensors are not on this"),
        ("openclip:RN50/openai", "clip.pt", EncoderError, "does not fit the network"),
        ("openclip:RN50/openai[no_such=1]", "clip.pt", EncoderError, "cannot be built as its options say"),
    )
    for name, file, kind, message in cases:
        with pytest.raises(kind, match=message) as caught:
            load_pixels(name, weights=tmp_path / file if file else None)
        assert "\n" not in str(caught.value)


def test_openais_own_archives_are_refused_with_a_way_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "RN50.pt", "w") as archive:  # laid out as torch.jit.save does
        archive.writestr("RN50/code/__torch__/multimodal/model.py", "class Multimodal(Module): ...")
        archive.writestr("RN50/data.pkl", b"")
    with pytest.raises(EncoderError, match=r"a TorchScript archive.* save its state_dict"):
        load_pixels("openclip:RN50/openai", weights=tmp_path / "RN50.pt")
